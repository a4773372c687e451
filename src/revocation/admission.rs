//! Admission: how many calls to a provider run at once, how many wait, and which is next.
//!
//! Any client can cause such calls, by logout notices or by callbacks with attempts from the
//! start route. A semaphore alone would let one client address take every permit and the whole
//! queue. Here a client address has a share of the permits, the client with the fewest running
//! calls is next, and in a full queue a client with fewer calls replaces one with more.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::AdmissionLimits;

/// The bits of an IPv6 address that name a network. A host often has all addresses below it.
const NETWORK: u128 = !0 << 64;

/// The clients that share their places: one IPv4 address, one IPv6 network of 64 bits, or all
/// whose address is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(Option<IpAddr>);

/// Admits calls within [`AdmissionLimits`]. Clones share the limits.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Shared>);

struct Shared {
    queue_timeout: Duration,
    state: Mutex<State>,
}

struct State {
    concurrency: usize,
    concurrency_per_client: usize,
    queue: usize,
    running: usize,
    queued: usize,
    next_ticket: u64,
    /// The clients with running or queued calls, and no others.
    clients: HashMap<Client, Calls>,
}

/// The calls of one client.
#[derive(Default)]
struct Calls {
    running: usize,
    queue: VecDeque<QueuedCall>,
}

struct QueuedCall {
    /// Lower ones came earlier.
    ticket: u64,
    admit: oneshot::Sender<()>,
}

/// Allows one call until it is dropped.
pub(crate) struct AdmissionPermit {
    admission: Admission,
    client: Client,
}

/// A place in the queue, which is given up when this is dropped.
struct QueuePlace {
    admission: Admission,
    client: Client,
    ticket: u64,
    admitted: oneshot::Receiver<()>,
}

impl Admission {
    pub(crate) fn new(limits: &AdmissionLimits) -> Self {
        Self(Arc::new(Shared {
            queue_timeout: limits.queue_timeout,
            state: Mutex::new(State {
                concurrency: limits.concurrency,
                concurrency_per_client: limits.per_client(),
                queue: limits.queue,
                running: 0,
                queued: 0,
                next_ticket: 0,
                clients: HashMap::new(),
            }),
        }))
    }

    /// Waits for a permit, at most as long as the limits allow. Returns `None` if the queue is
    /// full, the time is up, or another client has replaced this call.
    pub(crate) async fn admit(&self, client: Client) -> Option<AdmissionPermit> {
        if let Some(permit) = self.try_admit(client) {
            return Some(permit);
        }
        let place = self.enqueue(client)?;
        let admitted = tokio::time::timeout(self.0.queue_timeout, place.admitted()).await;
        admitted.ok().flatten()
    }

    /// Returns a permit if one is available now.
    pub(crate) fn try_admit(&self, client: Client) -> Option<AdmissionPermit> {
        let started = self.state().start(client);
        started.then(|| AdmissionPermit {
            admission: self.clone(),
            client,
        })
    }

    fn enqueue(&self, client: Client) -> Option<QueuePlace> {
        let (ticket, admitted) = self.state().enqueue(client)?;
        Some(QueuePlace {
            admission: self.clone(),
            client,
            ticket,
            admitted,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Starts a call of this client, if its share and the limit allow one more.
    fn start(&mut self, client: Client) -> bool {
        let running = self.clients.get(&client).map_or(0, |calls| calls.running);
        let starts = self.running < self.concurrency && running < self.concurrency_per_client;
        if starts {
            self.running += 1;
            self.clients.entry(client).or_default().running += 1;
        }
        starts
    }

    /// Ends a call of this client and starts the next ones.
    fn end(&mut self, client: Client) {
        self.running -= 1;
        if let Some(calls) = self.clients.get_mut(&client) {
            calls.running -= 1;
        }
        self.remove_if_idle(client);
        self.start_queued();
    }

    fn enqueue(&mut self, client: Client) -> Option<(u64, oneshot::Receiver<()>)> {
        if self.queued >= self.queue && !self.replace_for(client) {
            return None;
        }
        let (admit, admitted) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queued += 1;
        let calls = self.clients.entry(client).or_default();
        calls.queue.push_back(QueuedCall { ticket, admit });
        Some((ticket, admitted))
    }

    fn dequeue(&mut self, client: Client, ticket: u64) {
        if let Some(calls) = self.clients.get_mut(&client) {
            let before = calls.queue.len();
            calls.queue.retain(|call| call.ticket != ticket);
            self.queued -= before - calls.queue.len();
        }
        self.remove_if_idle(client);
    }

    /// Refuses the latest queued call of the client with the most calls, if this client has
    /// fewer even with one more.
    fn replace_for(&mut self, client: Client) -> bool {
        let own = self.clients.get(&client).map_or(0, Calls::total);
        let queued = self.clients.iter_mut();
        let queued = queued.filter(|(_, calls)| !calls.queue.is_empty());
        let Some((&most, calls)) = queued.max_by_key(|(_, calls)| calls.total()) else {
            return false;
        };
        if calls.total() <= own + 1 {
            return false;
        }
        // The place of the dropped sender sees that it was refused.
        calls.queue.pop_back();
        self.queued -= 1;
        self.remove_if_idle(most);
        true
    }

    /// Starts queued calls while there are permits, those of the clients with the fewest
    /// running calls first.
    fn start_queued(&mut self) {
        while self.running < self.concurrency {
            let clients = self.clients.values_mut();
            let next = clients
                .filter(|calls| calls.running < self.concurrency_per_client)
                .filter_map(|calls| Some(((calls.running, calls.queue.front()?.ticket), calls)))
                .min_by_key(|(order, _)| *order);
            let Some((_, calls)) = next else {
                return;
            };
            let Some(call) = calls.queue.pop_front() else {
                return;
            };
            self.queued -= 1;
            if call.admit.send(()).is_ok() {
                calls.running += 1;
                self.running += 1;
            }
        }
    }

    fn remove_if_idle(&mut self, client: Client) {
        if self.clients.get(&client).is_some_and(|c| c.total() == 0) {
            self.clients.remove(&client);
        }
    }
}

impl Calls {
    fn total(&self) -> usize {
        self.running + self.queue.len()
    }
}

impl QueuePlace {
    async fn admitted(mut self) -> Option<AdmissionPermit> {
        (&mut self.admitted).await.ok()?;
        Some(AdmissionPermit {
            admission: self.admission.clone(),
            client: self.client,
        })
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        // Admitted and dropped before that was seen: nothing else would end the call.
        if self.admitted.try_recv().is_ok() {
            state.end(self.client);
        } else {
            state.dequeue(self.client, self.ticket);
        }
    }
}

impl Drop for AdmissionPermit {
    fn drop(&mut self) {
        self.admission.state().end(self.client);
    }
}

impl Client {
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
            address => address,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt as _;

    use super::*;

    fn client(number: u8) -> Client {
        Client::of(Some(IpAddr::from([10, 0, 0, number])))
    }

    fn limits() -> AdmissionLimits {
        AdmissionLimits::default()
            .concurrency(4)
            .concurrency_per_client(2)
            .queue(4)
    }

    type Call<'a> = Pin<Box<dyn Future<Output = Option<AdmissionPermit>> + 'a>>;

    /// A call that waits.
    fn waiting(admission: &Admission, number: u8) -> Call<'_> {
        let mut call: Call<'_> = Box::pin(admission.admit(client(number)));
        assert!((&mut call).now_or_never().is_none());
        call
    }

    fn counts(admission: &Admission) -> (usize, usize, usize) {
        let state = admission.state();
        (state.running, state.queued, state.clients.len())
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_never_takes_more_than_its_share() {
        let admission = Admission::new(&limits());
        let _running = [client(1), client(1)].map(|one| admission.try_admit(one).unwrap());
        assert!(admission.try_admit(client(1)).is_none());
        let waits = waiting(&admission, 1);
        // Another client passes those that wait for their own calls.
        let other = admission.admit(client(2)).now_or_never();
        assert!(other.flatten().is_some());
        assert!(waits.await.is_none(), "until the time is up");
        assert_eq!(counts(&admission), (2, 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_with_the_fewest_running_calls_is_next() {
        let admission = Admission::new(&limits());
        let running = [1, 1, 2, 2].map(|number| admission.try_admit(client(number)).unwrap());
        let mut early = waiting(&admission, 1);
        let late = waiting(&admission, 3);
        let [first, ..] = running;
        drop(first);
        assert!((&mut early).now_or_never().is_none());
        assert!(matches!(late.now_or_never(), Some(Some(_))));
        assert!(matches!(early.now_or_never(), Some(Some(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_full_queue_a_client_with_fewer_calls_replaces_one_with_more() {
        let admission = Admission::new(&limits());
        let _running = [1, 1, 2, 2].map(|number| admission.try_admit(client(number)).unwrap());
        let mut flood = [(); 4].map(|()| waiting(&admission, 1));
        let one_more = admission.admit(client(1)).now_or_never();
        assert!(matches!(one_more, Some(None)), "no client replaces its own");
        let _other = waiting(&admission, 3);
        let [.., before, latest] = &mut flood;
        assert!(matches!(latest.now_or_never(), Some(None)));
        assert!(before.now_or_never().is_none());
        assert_eq!(counts(&admission), (4, 4, 3));
    }

    /// A future may be dropped at any await, also between its permit and the poll that sees it.
    #[tokio::test(start_paused = true)]
    async fn whatever_is_dropped_gives_its_place_back() {
        let admission = Admission::new(&limits().concurrency(1));
        for _ in 0..3 {
            let running = admission.try_admit(client(1)).unwrap();
            let dropped = waiting(&admission, 2);
            let admitted = waiting(&admission, 3);
            drop(dropped);
            assert_eq!(counts(&admission), (1, 1, 2));
            drop(running);
            assert_eq!(counts(&admission), (1, 0, 1), "admitted");
            drop(admitted);
            assert_eq!(counts(&admission), (0, 0, 0));
        }
    }

    #[test]
    fn the_addresses_of_one_network_are_one_client() {
        let client = |text: &str| Client::of(Some(text.parse().unwrap()));
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff::2"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
        assert_ne!(client("10.0.0.1"), Client::of(None));
    }
}
