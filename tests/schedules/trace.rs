//! What a run did, step by step, for the models in `proofs`: `proofs/traces` asks whether they allow it.
//!
//! An actor is a process of a model. Its steps are the effects of its store calls, in the order in
//! which they happen, and its answers.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, Once},
};

use futures_util::FutureExt as _;
use tower_sessions::session::Id;
use tracing::{Instrument as _, Span, instrument::Instrumented};

use crate::world::Actor;

/// The steps of the actors of one run.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The model that shows the same. Without one, nothing is recorded.
    model: Option<&'static str>,
    /// The process that each span stands for.
    processes: Vec<(Span, String)>,
    /// The number of the process that created each record.
    records: HashMap<Id, String>,
    /// The number of the process whose answer set each cookie of a login.
    cookies: HashMap<String, String>,
    steps: Vec<String>,
    /// Whether the actors are done: steps of no process are not recorded.
    is_over: bool,
}

impl Trace {
    /// Records what happens from now on, for this model and these of its flags.
    pub fn follow(&self, model: &'static str) {
        self.0.lock().unwrap().model = Some(model);
    }

    /// What is awaited here, and the tasks that it spawns, is this process of the model: its name and
    /// its number.
    pub fn process<F: Future>(&self, name: &str, work: F) -> Instrumented<F> {
        static SPANS: Once = Once::new();
        SPANS.call_once(|| {
            let spans = tracing_subscriber::registry();
            tracing::subscriber::set_global_default(spans).unwrap();
        });
        let span = tracing::info_span!("process", name);
        let process = (span.clone(), name.to_owned());
        self.0.lock().unwrap().processes.push(process);
        work.instrument(span)
    }

    /// An actor that is this process.
    pub fn actor(&self, name: &str, actor: Actor) -> Actor {
        self.process(name, actor).boxed()
    }

    /// From now on, steps of no process are not recorded.
    pub fn ends_with_processes(&self) {
        self.0.lock().unwrap().is_over = true;
    }

    /// Records a step of the process that is running.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn step(&self, step: &str) {
        self.0.lock().unwrap().push(step);
    }

    /// Records what the process that is running does with the record of a login.
    pub fn record_step(&self, step: &str, record: Id) {
        let mut state = self.0.lock().unwrap();
        if let Some(number) = state.number() {
            state.records.entry(record).or_insert(number);
        }
        let owner = state.records.get(&record).cloned().unwrap_or_default();
        state.push(&format!("{step}{owner}"));
    }

    /// Records that the process that is running sends a request with this cookie of a login.
    pub fn sends(&self, cookie: Option<&String>) {
        let mut state = self.0.lock().unwrap();
        let owner = cookie.and_then(|cookie| state.cookies.get(cookie));
        let step = format!("send{}", owner.map_or("", String::as_str));
        state.push(&step);
    }

    /// The browser receives this cookie of a login from the process that is running.
    pub fn receives(&self, cookie: Option<&String>) {
        let mut state = self.0.lock().unwrap();
        if let (Some(cookie), Some(number)) = (cookie, state.number()) {
            state.cookies.entry(cookie.clone()).or_insert(number);
        }
    }

    /// The model, and the trace: the names of the processes that take part, then the steps.
    fn take(&self) -> Option<(&'static str, String)> {
        let state = self.0.lock().unwrap();
        let processes = state.steps.iter().filter_map(|step| step.split('.').next());
        let mut trace: Vec<_> = processes.collect::<BTreeSet<_>>().into_iter().collect();
        trace.extend(state.steps.iter().map(String::as_str));
        Some((state.model?, trace.join(" ")))
    }
}

impl State {
    /// The name of the process that is running.
    fn process(&self) -> Option<&str> {
        let span = Span::current();
        let mut processes = self.processes.iter();
        let process = processes.find(|(process, _)| *process == span);
        process.map(|(_, name)| name.as_str())
    }

    /// The number of the process that is running.
    fn number(&self) -> Option<String> {
        let number = self.process()?.trim_start_matches(char::is_alphabetic);
        Some(number.to_owned())
    }

    fn push(&mut self, step: &str) {
        if self.model.is_none() {
            return;
        }
        match self.process() {
            Some(process) => self.steps.push(format!("{process}.{step}")),
            None => assert!(self.is_over, "{step} is a step of no process"),
        }
    }
}

/// The distinct traces of a scenario.
#[derive(Debug, Default)]
pub struct Traces(BTreeSet<(&'static str, String)>);

impl Traces {
    pub fn add(&mut self, trace: &Trace) {
        self.0.extend(trace.take());
    }

    /// Appends them to the files of their models, in the folder that `TRACES` names.
    pub fn write(&self) {
        static FILES: Mutex<()> = Mutex::new(());
        let Some(folder) = std::env::var_os("TRACES").map(PathBuf::from) else {
            return;
        };
        // The tests run at once.
        let _files = FILES.lock().unwrap();
        fs::create_dir_all(&folder).unwrap();
        for (model, trace) in &self.0 {
            let mut options = File::options();
            let options = options.append(true).create(true);
            let mut file = options.open(folder.join(model)).unwrap();
            writeln!(file, "{trace}").unwrap();
        }
    }
}
