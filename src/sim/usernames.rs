//! What people call themselves, people with usernames, and people whose number nobody sees. Owns who has which name.

use whatsapp_rust::Jid;

use super::Sim;
use super::error::SimError;
use super::groups::Addressing;
use super::people::{People, PeopleError, digits};
use super::person::Person;

impl People {
    /// Gives a recipient a username, and the key that it demands, if any; says whether others
    /// see the number. The number then names it towards the simulator only.
    pub fn set_username(
        &mut self,
        number: &str,
        (username, key): (Option<&str>, Option<&str>),
        hidden: bool,
    ) -> Result<(), PeopleError> {
        let person = self.persons.get_mut(&digits(number)?).ok_or(PeopleError::Unknown)?;
        if let Some(username) = username {
            person.username = Some(username.to_owned());
            person.username_key = key.map(str::to_owned);
        }
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

    /// The username that a stanza states of somebody whom it names by LID.
    pub(super) fn username_besides(&self, jid: &Jid) -> Option<String> {
        self.find(jid).filter(|_| jid.is_lid())?.username.clone()
    }

    /// The LID behind a username, for who gives the key that it demands, if it does.
    pub(super) fn lid_of_username(&self, name: &str, key: Option<&str>) -> Option<Jid> {
        let person = self.by_username(name)?;
        let opens = person.username_key.is_none() || person.username_key.as_deref() == key;
        opens.then(|| person.lid_jid(0))
    }
}

impl Sim {
    /// What a person calls itself in what it sends.
    pub async fn recipient_name(&self, number: &str, name: &str) -> Result<(), SimError> {
        let mut world = self.shared.change().await;
        let person = world.people.persons.get_mut(&digits(number)?);
        person.ok_or(PeopleError::Unknown)?.name = Some(name.to_owned());
        Ok(())
    }

    /// See [`People::set_username`].
    pub async fn recipient_username(
        &self,
        number: &str,
        (username, key): (Option<&str>, Option<&str>),
        hidden: bool,
    ) -> Result<(), SimError> {
        Ok(self.shared.change().await.people.set_username(number, (username, key), hidden)?)
    }
}
