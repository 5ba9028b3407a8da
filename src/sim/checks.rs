//! Questions about who is on the network: counted, and answered wrongly where the server
//! was configured to. Never decides who is there.

use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore_binary::{Node, NodeContent};

use super::accounts::DeviceId;
use super::nodes::refusal;
use super::settings::Times;
use super::world::{LinkId, World};

/// What a question about who is on the network comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckAnswer {
    /// The truth.
    #[default]
    Ok,
    /// An error (500).
    Error,
    /// Too many requests (429).
    RateLimit,
    /// No answer at all.
    Silent,
    /// An answer without a word about any number.
    Empty,
}

/// What questions about who is on the network come to, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckAnswers {
    /// What.
    pub answer: CheckAnswer,
    /// How often.
    pub times: Times,
}

impl<'de> Deserialize<'de> for CheckAnswers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Answer(CheckAnswer),
            Whole { answer: CheckAnswer, times: Times },
        }
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Answer(answer) => CheckAnswers { answer, times: Times::Always },
            Wire::Whole { answer, times } => CheckAnswers { answer, times },
        })
    }
}

/// Counts a question about contacts, and deals with it if it is to go wrong. Other
/// questions pass.
pub(super) fn goes_wrong(world: &mut World, link: LinkId, iq: &Node) -> bool {
    if iq.get_optional_child_by_tag(&["usync", "query", "contact"]).is_none() {
        return false;
    }
    let users = iq.get_optional_child_by_tag(&["usync", "list"]).and_then(Node::children);
    world.stats.checks += 1;
    world.stats.checked_numbers += users.map_or(0, <[Node]>::len) as u64;
    if !world.settings.check.times.take() {
        return false;
    }
    match world.settings.check.answer {
        CheckAnswer::Ok => return false,
        CheckAnswer::Error => world.say(link, refusal(iq, 500, "internal-server-error")),
        CheckAnswer::RateLimit => world.say(link, refusal(iq, 429, "rate-overlimit")),
        CheckAnswer::Silent => {}
        CheckAnswer::Empty => {
            let Some(asking) = world.device(link).map(DeviceId::jid) else { return false };
            let answer = world.people.usync(iq, &asking);
            world.say(link, without_users(answer));
        }
    }
    true
}

fn without_users(mut node: Node) -> Node {
    if node.tag == "list" {
        node.content = None;
    } else if let Some(NodeContent::Nodes(children)) = node.content {
        let children = children.into_iter().map(without_users).collect();
        node.content = Some(NodeContent::Nodes(children));
    }
    node
}
