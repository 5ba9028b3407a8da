//! What clients do to groups: create, leave, rename, describe, add, remove, promote, demote,
//! settings, a new invite link. Every change reaches the clients of all members; what is not allowed
//! is refused: 401 to a member who is no admin, 403 to who is not in the group, 404 where there
//! is none, 406 and 410 for an invite that is none or no more (whatsmeow, group.go and
//! errors.go). What this does not know is refused with 501.

use serde::{Deserialize, Serialize};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::accounts::DeviceId;
use super::group_invites::{fresh_code, invite, join};
use super::groups::{GROUP_MEMBERS_MAX, Group};
use super::nodes::{attr, child_content, content, jid_attr, refusal, result, result_with};
use super::notices;
use super::people::People;
use super::stanza::groups as stanzas;
use super::world::{LinkId, World};

/// Characters of a name and of a description (WhatsApp Web: `max_subject`,
/// `group_description_length`).
const SUBJECT_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 2_048;

/// A group's description.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Description {
    pub(super) id: String,
    pub(super) body: String,
    /// A number.
    pub(super) by: String,
    pub(super) at_s: i64,
}

/// A refusal: its code and text.
pub(super) type Refused = (u16, &'static str);
pub(super) const BAD_REQUEST: Refused = (400, "bad-request");
pub(super) const NOT_AUTHORIZED: Refused = (401, "not-authorized");
const FORBIDDEN: Refused = (403, "forbidden");
pub(super) const NOT_FOUND: Refused = (404, "item-not-found");
pub(super) const NOT_ACCEPTABLE: Refused = (406, "not-acceptable");
pub(super) const CONFLICT: Refused = (409, "conflict");
const NOT_IMPLEMENTED: Refused = (501, "feature-not-implemented");

/// What a request comes to: the answer's child, and the notification's.
pub(super) struct Done {
    answer: Option<Node>,
    notice: Option<Node>,
    /// Who gets it besides the members.
    gone: Vec<String>,
}

impl Done {
    pub(super) fn notified(notice: Node) -> Self {
        Done { answer: None, notice: Some(notice), gone: Vec::new() }
    }
}

/// A group, and who acts on it.
struct Act<'a> {
    group: &'a str,
    by: &'a str,
    child: &'a Node,
}

/// Answers an `<iq type="set" xmlns="w:g2">`.
pub(super) fn set(world: &mut World, link: LinkId, iq: &Node) {
    let Some(device) = world.device(link).cloned() else {
        return world.say(link, refusal(iq, 401, "not-authorized"));
    };
    let Some(child) = iq.children().and_then(|children| children.first()) else {
        return world.say(link, refusal(iq, 400, "bad-request"));
    };
    let named = jid_attr(iq, "to").filter(|to| !to.user.is_empty());
    let ended = match (&named, child.tag.as_ref()) {
        (None, "create") => return create(world, link, iq, child, &device),
        (None, "leave") => leave(world, &device, child),
        (None, "invite") => join(world, &device, child),
        (Some(group), _) => act(&mut world.people, &device, group, child)
            .map(|done| (done.answer.clone(), vec![(group.user.to_string(), done)])),
        (None, _) => Err(NOT_IMPLEMENTED),
    };
    match ended {
        Err((code, text)) => world.say(link, refusal(iq, code, text)),
        Ok((answer, notices)) => {
            let reply = answer.map_or_else(|| result(iq), |answer| result_with(iq, [answer]));
            world.say(link, reply);
            for (group, done) in notices {
                if let Some(notice) = done.notice {
                    tell(world, &device, &group, &notice, &done.gone);
                }
            }
        }
    }
}

/// A group that this person is in.
pub(super) fn found<'p>(
    people: &'p mut People,
    group: &Jid,
    me: &str,
) -> Result<&'p mut Group, Refused> {
    let group = people.groups.get_mut(group.user.as_str()).ok_or(NOT_FOUND)?;
    if group.has(me) { Ok(group) } else { Err(FORBIDDEN) }
}

fn create(world: &mut World, link: LinkId, iq: &Node, child: &Node, by: &DeviceId) {
    let subject = attr(child, "subject").unwrap_or_default();
    if child.get_optional_child("parent").is_some() {
        return world.say(link, refusal(iq, 501, "feature-not-implemented"));
    }
    if subject.is_empty() || subject.chars().count() > SUBJECT_MAX {
        return world.say(link, refusal(iq, 406, "not-acceptable"));
    }
    let mut members = vec![by.user.clone()];
    let mut absent = Vec::new();
    for asked in child.get_children_by_tag("participant").filter_map(|p| jid_attr(p, "jid")) {
        match world.people.find(&asked).filter(|person| person.on_network) {
            Some(person) => members.push(person.number.clone()),
            None => absent.push(asked),
        }
    }
    let Ok(jid) = world.people.add_group(&subject, &members) else {
        return world.say(link, refusal(iq, 419, "resource-limit"));
    };
    if let Some(group) = world.people.groups.get_mut(jid.user.as_str()) {
        // What a group has from its beginning; what there is not, it has not.
        for setting in child.children().unwrap_or_default() {
            let _ = apply(group, setting);
        }
    }
    let Some(group) = world.people.groups.get(jid.user.as_str()) else { return };
    let mut described = stanzas::describe(&world.people, group);
    let missing = absent
        .iter()
        .map(|jid| NodeBuilder::new("participant").attr("jid", jid).attr("error", "404").build());
    let answer = {
        let children = described.children().unwrap_or_default().iter().cloned().chain(missing);
        let attrs = described.attrs.clone();
        let mut answer = NodeBuilder::new("group").children(children).build();
        answer.attrs = attrs;
        answer
    };
    described.attrs.insert("type", "new");
    world.say(link, result_with(iq, [answer]));
    let key = attr(child, "key").unwrap_or_default();
    let notice = NodeBuilder::new("create").attr("type", "new").attr("key", key);
    tell(world, by, jid.user.as_str(), &notice.children([described]).build(), &[]);
}

/// The answer's child, and what has become of which group.
pub(super) type Ended = (Option<Node>, Vec<(String, Done)>);

/// Leaves every group that the request names.
fn leave(world: &mut World, by: &DeviceId, child: &Node) -> Result<Ended, Refused> {
    let asked: Vec<String> =
        child.get_children_by_tag("group").filter_map(|group| attr(group, "id")).collect();
    if asked.is_empty() {
        return Err(BAD_REQUEST);
    }
    let (mut answers, mut done) = (Vec::new(), Vec::new());
    for name in asked {
        let answer = NodeBuilder::new("group").attr("id", name.as_str());
        let jid: Jid = name.parse().unwrap_or_default();
        match found(&mut world.people, &jid, &by.user) {
            Err((code, _)) => answers.push(answer.attr("error", code).build()),
            Ok(group) => {
                group.take_out(&by.user);
                let id = group.id.clone();
                answers.push(answer.build());
                let notice =
                    participants(&world.people, &id, "remove", std::slice::from_ref(&by.user));
                let gone = vec![by.user.clone()];
                done.push((id, Done { answer: None, notice: Some(notice), gone }));
            }
        }
    }
    Ok((Some(NodeBuilder::new("leave").children(answers).build()), done))
}

/// `<add>`, `<remove>`, ... with the people concerned.
pub(super) fn participants(people: &People, group: &str, action: &str, whom: &[String]) -> Node {
    let list = people.groups.get(group).into_iter().flat_map(|group| {
        whom.iter().filter_map(|number| stanzas::participant(people, group, number))
    });
    NodeBuilder::new_dynamic(action.to_owned()).children(list).build()
}

fn act(people: &mut People, by: &DeviceId, group: &Jid, child: &Node) -> Result<Done, Refused> {
    let id = found(people, group, &by.user)?.id.clone();
    let act = Act { group: &id, by: &by.user, child };
    match child.tag.as_ref() {
        "subject" => rename(people, &act),
        "description" => describe(people, &act),
        "add" => add(people, &act),
        "remove" | "promote" | "demote" => change(people, &act),
        "invite" => {
            let group = admins(people, &act)?;
            group.invite = Some(fresh_code());
            let invite = invite(group.invite.as_deref().unwrap_or_default());
            Ok(Done { answer: Some(invite.clone()), notice: Some(invite), gone: Vec::new() })
        }
        "announcement" | "not_announcement" | "locked" | "unlocked" | "ephemeral"
        | "not_ephemeral" | "member_add_mode" => switch(people, &act),
        _ => Err(NOT_IMPLEMENTED),
    }
}

/// The group, if who acts is an admin of it.
fn admins<'p>(people: &'p mut People, act: &Act<'_>) -> Result<&'p mut Group, Refused> {
    let group = people.groups.get_mut(act.group).ok_or(NOT_FOUND)?;
    if group.role(act.by).is_some() { Ok(group) } else { Err(NOT_AUTHORIZED) }
}

/// The group, if who acts may change what it says about itself.
fn editors<'p>(people: &'p mut People, act: &Act<'_>) -> Result<&'p mut Group, Refused> {
    let group = people.groups.get_mut(act.group).ok_or(NOT_FOUND)?;
    if group.may_change(act.by) { Ok(group) } else { Err(NOT_AUTHORIZED) }
}

fn rename(people: &mut People, act: &Act<'_>) -> Result<Done, Refused> {
    let subject = content(act.child).and_then(|bytes| String::from_utf8(bytes).ok());
    let fits = |text: &String| !text.is_empty() && text.chars().count() <= SUBJECT_MAX;
    let subject = subject.filter(fits).ok_or(NOT_ACCEPTABLE)?;
    let group = editors(people, act)?;
    group.subject.clone_from(&subject);
    let by = group.addressing;
    let owner = people.persons.get(act.by).ok_or(NOT_FOUND)?.jid(0, by);
    let notice = NodeBuilder::new("subject").attr("subject", subject).attr("s_t", now_secs());
    Ok(Done::notified(notice.attr("s_o", owner).build()))
}

fn describe(people: &mut People, act: &Act<'_>) -> Result<Done, Refused> {
    let body = child_content(act.child, &["body"]).and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, prev) = (attr(act.child, "id"), attr(act.child, "prev"));
    let group = editors(people, act)?;
    if prev != group.description.as_ref().map(|now| now.id.clone()) {
        return Err(CONFLICT);
    }
    let notice = NodeBuilder::new("description").attr("id", id.clone().unwrap_or_default());
    let Some(body) = body else {
        if attr(act.child, "delete").as_deref() != Some("true") {
            return Err(BAD_REQUEST);
        }
        group.description = None;
        return Ok(Done::notified(notice.children([NodeBuilder::new("delete").build()]).build()));
    };
    if body.chars().count() > DESCRIPTION_MAX {
        return Err(NOT_ACCEPTABLE);
    }
    let bytes = NodeBuilder::new("body").bytes(body.as_bytes()).build();
    let by = act.by.to_owned();
    let id = id.ok_or(BAD_REQUEST)?;
    group.description = Some(Description { id, body, by, at_s: now_secs() });
    Ok(Done::notified(notice.children([bytes]).build()))
}

/// Each person of a request, and the error that it comes to: all are answered.
fn asked(people: &People, child: &Node) -> Vec<(Jid, Option<String>)> {
    let named = child.get_children_by_tag("participant").filter_map(|p| jid_attr(p, "jid"));
    let known = |jid: &Jid| people.find(jid).filter(|person| person.on_network);
    named.map(|jid| (jid.clone(), known(&jid).map(|person| person.number.clone()))).collect()
}

fn add(people: &mut People, act: &Act<'_>) -> Result<Done, Refused> {
    let asked = asked(people, act.child);
    let group = people.groups.get_mut(act.group).ok_or(NOT_FOUND)?;
    if group.only_admins_add && group.role(act.by).is_none() {
        return Err(NOT_AUTHORIZED);
    }
    each(people, act, asked, |group, number| match number {
        None => Some("404"),
        Some(number) if group.has(number) => Some("409"),
        Some(_) if group.members.len() >= GROUP_MEMBERS_MAX => Some("419"),
        Some(number) => {
            group.members.push(number.to_owned());
            None
        }
    })
}

/// Removes, promotes or demotes.
fn change(people: &mut People, act: &Act<'_>) -> Result<Done, Refused> {
    let asked = asked(people, act.child);
    admins(people, act)?;
    let action = act.child.tag.to_string();
    let mut done = each(people, act, asked, |group, number| {
        let Some(number) = number.filter(|number| group.has(number)) else { return Some("404") };
        // Nobody acts on who made the group.
        if group.role(number) == Some("superadmin") {
            return Some("406");
        }
        match action.as_str() {
            "remove" => group.take_out(number),
            "promote" if group.role(number).is_none() => group.admins.push(number.to_owned()),
            "promote" => {}
            _ => group.admins.retain(|admin| admin != number),
        }
        None
    })?;
    if action != "remove" {
        done.gone.clear();
    }
    Ok(done)
}

/// Does something for each person of a request. `gone`: those for whom it was done.
fn each(
    people: &mut People,
    act: &Act<'_>,
    asked: Vec<(Jid, Option<String>)>,
    mut one: impl FnMut(&mut Group, Option<&str>) -> Option<&'static str>,
) -> Result<Done, Refused> {
    if asked.is_empty() {
        return Err(BAD_REQUEST);
    }
    let (mut answers, mut done) = (Vec::new(), Vec::new());
    for (jid, number) in asked {
        let group = people.groups.get_mut(act.group).ok_or(NOT_FOUND)?;
        let answer = NodeBuilder::new("participant").attr("jid", jid);
        match one(group, number.as_deref()) {
            Some(error) => answers.push(answer.attr("error", error).build()),
            None => {
                answers.push(answer.build());
                done.extend(number);
            }
        }
    }
    let action = act.child.tag.to_string();
    let notice = (!done.is_empty()).then(|| participants(people, act.group, &action, &done));
    let answer = NodeBuilder::new_dynamic(action).children(answers).build();
    Ok(Done { answer: Some(answer), notice, gone: done })
}

fn switch(people: &mut People, act: &Act<'_>) -> Result<Done, Refused> {
    apply(admins(people, act)?, act.child)?;
    let mut notice = act.child.clone();
    // whatsmeow, group.go: it takes no announcement without one.
    notice.attrs.insert("v_id", now_secs());
    Ok(Done::notified(notice))
}

/// One setting of a group.
fn apply(group: &mut Group, setting: &Node) -> Result<(), Refused> {
    match setting.tag.as_ref() {
        "announcement" => group.announcement = true,
        "not_announcement" => group.announcement = false,
        "locked" => group.locked = true,
        "unlocked" => group.locked = false,
        "not_ephemeral" => group.ephemeral_s = 0,
        "ephemeral" => {
            let seconds = attr(setting, "expiration").and_then(|text| text.parse().ok());
            group.ephemeral_s = seconds.ok_or(BAD_REQUEST)?;
        }
        "member_add_mode" => match content(setting).as_deref() {
            Some(b"admin_add") => group.only_admins_add = true,
            Some(b"all_member_add") => group.only_admins_add = false,
            Some(_) | None => return Err(BAD_REQUEST),
        },
        _ => return Err(NOT_IMPLEMENTED),
    }
    Ok(())
}

/// The members' clients learn of a change, whoever made it; its own client, too.
fn tell(world: &mut World, by: &DeviceId, group: &str, notice: &Node, gone: &[String]) {
    let Some(known) = world.people.groups.get(group) else { return };
    let (from, addressing) = (known.jid(), known.addressing);
    let mut concerned = known.members.clone();
    concerned.extend(gone.iter().filter(|number| !known.has(number)).cloned());
    let Some(actor) = world.people.persons.get(&by.user) else { return };
    let (actor, actor_pn) = (actor.jid(0, addressing), actor.pn_jid(0));
    let name = world.accounts.get(&by.user).map(|account| account.push_name.clone());
    for number in concerned {
        for client in notices::clients(world, &number, None) {
            let notification = NodeBuilder::new("notification")
                .attr("type", "w:gp2")
                .attr("from", &from)
                .attr("id", world.iq_id())
                .attr("t", now_secs())
                .attr("participant", &actor)
                .attr("participant_pn", &actor_pn)
                .attr("addressing_mode", addressing.as_wire())
                .attr("notify", name.clone().unwrap_or_default())
                .children([notice.clone()]);
            world.deliver(&client, notification.build());
        }
    }
}
