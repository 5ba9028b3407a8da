//! People with usernames, and people whose number nobody sees. Owns who has which name.

use whatsapp_rust::Jid;

use super::Sim;
use super::error::SimError;
use super::groups::Addressing;
use super::people::{People, PeopleError, digits};
use super::person::Person;

impl People {
    /// Gives a recipient a username, and says whether others see the number. Its number then
    /// names it towards the simulator only.
    pub fn set_username(
        &mut self,
        number: &str,
        username: Option<&str>,
        hidden: bool,
    ) -> Result<(), PeopleError> {
        let person = self.persons.get_mut(&digits(number)?).ok_or(PeopleError::Unknown)?;
        person.username = username.map(str::to_owned).or_else(|| person.username.take());
        person.hidden = hidden;
        Ok(())
    }

    /// Who has this username, upper and lower case alike.
    pub(super) fn by_username(&self, name: &str) -> Option<&Person> {
        let has = |person: &&Person| {
            person.username.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        self.persons.values().find(has)
    }

    /// Whether a stanza names the other name of somebody whom it addresses so.
    pub(super) fn names_besides(&self, person: &Person, by: Addressing) -> bool {
        self.rules.names_besides(by) && !(person.hidden && by == Addressing::Lid)
    }

    /// The LID behind a username.
    pub(super) fn lid_of_username(&self, name: &str) -> Option<Jid> {
        self.by_username(name).map(|person| person.lid_jid(0))
    }
}

impl Sim {
    /// See [`People::set_username`].
    pub async fn recipient_username(
        &self,
        number: &str,
        username: Option<&str>,
        hidden: bool,
    ) -> Result<(), SimError> {
        Ok(self.shared.change().await.people.set_username(number, username, hidden)?)
    }
}
