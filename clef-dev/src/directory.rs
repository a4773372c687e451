use std::sync::Arc;

use super::{Application, PEOPLE, Person, TEST_APPLICATIONS};

/// Who there is: the applications and the people that a service was started with.
pub(super) struct Directory {
    applications: Vec<Arc<Application>>,
    people: Vec<Arc<Person>>,
    published: Arc<Person>,
}

impl Directory {
    /// Those that are always there, and these.
    ///
    /// # Errors
    ///
    /// What to mend, in words, if one cannot be had or two share an id.
    pub(super) fn new(applications: &[Application], people: &[Person]) -> Result<Self, String> {
        let faults = applications.iter().filter_map(Application::fault);
        if let Some(fault) = faults.chain(people.iter().filter_map(Person::fault)).next() {
            return Err(fault);
        }
        let applications: Vec<_> = TEST_APPLICATIONS.iter().chain(applications).collect();
        let people: Vec<_> = PEOPLE.iter().chain(people).collect();
        if let Some(id) = twice(applications.iter().map(|application| application.id())) {
            return Err(format!("There are two applications with the id {id:?}."));
        }
        if let Some(id) = twice(people.iter().map(|person| person.id())) {
            return Err(format!("There are two people with the id {id:?}."));
        }
        Ok(Self {
            applications: applications.into_iter().cloned().map(Arc::new).collect(),
            people: people.into_iter().cloned().map(Arc::new).collect(),
            published: Arc::new(PEOPLE[0].clone()),
        })
    }

    /// The application with exactly this id.
    pub(super) fn application(&self, id: &str) -> Option<&Arc<Application>> {
        let mut all = self.applications.iter();
        all.find(|application| application.id() == id)
    }

    /// The person with exactly this id.
    pub(super) fn person(&self, id: &str) -> Option<&Arc<Person>> {
        self.people.iter().find(|person| person.id() == id)
    }

    pub(super) fn people(&self) -> &[Arc<Person>] {
        &self.people
    }

    /// The person of the published test code.
    pub(super) fn published(&self) -> &Arc<Person> {
        &self.published
    }
}

fn twice<'a>(ids: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids.windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_exactly() {
        let directory = Directory::new(&[], &[]).unwrap();
        let id = TEST_APPLICATIONS[1].id();
        assert!(directory.application(id).is_some());
        assert!(directory.application(&id.to_uppercase()).is_none());
        assert!(directory.application(&format!("{id} ")).is_none());
        assert!(directory.application("").is_none());
        assert!(directory.person("12345").is_some());
        assert!(directory.person("12345 ").is_none());
    }

    #[test]
    fn two_with_one_id_are_refused() {
        let shop = Application::new("shop", "secret");
        let both = Directory::new(&[shop.clone(), shop], &[]);
        assert!(both.is_err_and(|text| text.contains("\"shop\"")));
        let second_alex = Person::new("12345", "Alex", "Again");
        let both = Directory::new(&[], &[second_alex]);
        assert!(both.is_err_and(|text| text.contains("\"12345\"")));
    }
}
