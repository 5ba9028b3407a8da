//! A disk in memory that can lose power: what was not synced may be dropped, kept in part, torn
//! at 512 bytes, or kept as length without content. An entry of a directory is safe once the
//! directory was synced, not before. Owns the files and what of them is safe; knows no kernel.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;
pub(crate) const ROOT: u64 = 1;

/// A change that no sync has covered yet.
#[derive(Clone)]
pub(crate) enum Change {
    Write { at: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Clone)]
pub(crate) enum EntryChange {
    Set(String, u64),
    Gone(String),
    Moved { from: String, to: String, node: u64 },
}

#[derive(Clone)]
pub(crate) enum Content {
    File { live: Vec<u8>, safe: Vec<u8>, pending: Vec<Change> },
    Folder { live: BTreeMap<String, u64>, safe: BTreeMap<String, u64>, pending: Vec<EntryChange> },
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mode: u16,
}

#[derive(Clone)]
pub(crate) struct Disk {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// The control: a sync that does nothing, and says that it has.
    pub(crate) drops_syncs: bool,
}

impl Node {
    fn folder(entries: BTreeMap<String, u64>) -> Node {
        let content = Content::Folder { live: entries.clone(), safe: entries, pending: Vec::new() };
        Node { content, mode: 0o700 }
    }

    fn file(data: Vec<u8>, mode: u16) -> Node {
        let content = Content::File { live: data.clone(), safe: data, pending: Vec::new() };
        Node { content, mode }
    }
}

fn apply(data: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, data: new } => {
            let end = at + new.len();
            if data.len() < end {
                data.resize(end, 0);
            }
            data[*at..end].copy_from_slice(new);
        }
        Change::Length(length) => data.resize(*length, 0),
    }
}

fn enter(entries: &mut BTreeMap<String, u64>, change: &EntryChange) {
    match change {
        EntryChange::Set(name, node) => drop(entries.insert(name.clone(), *node)),
        EntryChange::Gone(name) => drop(entries.remove(name)),
        EntryChange::Moved { from, to, node } => {
            entries.remove(from);
            entries.insert(to.clone(), *node);
        }
    }
}

impl Disk {
    pub(crate) fn new() -> Disk {
        let nodes = BTreeMap::from([(ROOT, Node::folder(BTreeMap::new()))]);
        Disk { nodes, next: ROOT + 1, drops_syncs: false }
    }

    pub(crate) fn node(&self, number: u64) -> Option<&Node> {
        self.nodes.get(&number)
    }

    pub(crate) fn set_mode(&mut self, number: u64, mode: u16) {
        if let Some(node) = self.nodes.get_mut(&number) {
            node.mode = mode;
        }
    }

    pub(crate) fn entries(&self, folder: u64) -> Option<&BTreeMap<String, u64>> {
        match &self.nodes.get(&folder)?.content {
            Content::Folder { live, .. } => Some(live),
            Content::File { .. } => None,
        }
    }

    pub(crate) fn find(&self, folder: u64, name: &str) -> Option<u64> {
        self.entries(folder)?.get(name).copied()
    }

    pub(crate) fn data(&self, file: u64) -> Option<&[u8]> {
        match &self.nodes.get(&file)?.content {
            Content::File { live, .. } => Some(live),
            Content::Folder { .. } => None,
        }
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.nodes.keys().filter_map(|&n| self.data(n)).map(|data| data.len() as u64).sum()
    }

    fn change(&mut self, file: u64, change: Change) {
        if let Some(Content::File { live, pending, .. }) =
            self.nodes.get_mut(&file).map(|node| &mut node.content)
        {
            apply(live, &change);
            pending.push(change);
        }
    }

    fn change_entry(&mut self, folder: u64, change: EntryChange) {
        if let Some(Content::Folder { live, pending, .. }) =
            self.nodes.get_mut(&folder).map(|node| &mut node.content)
        {
            enter(live, &change);
            pending.push(change);
        }
    }

    pub(crate) fn write(&mut self, file: u64, at: usize, data: &[u8]) {
        self.change(file, Change::Write { at, data: data.to_vec() });
    }

    pub(crate) fn set_length(&mut self, file: u64, length: usize) {
        self.change(file, Change::Length(length));
    }

    pub(crate) fn make(&mut self, folder: u64, name: &str, mode: u16, is_folder: bool) -> u64 {
        let number = self.next;
        self.next += 1;
        let mut node =
            if is_folder { Node::folder(BTreeMap::new()) } else { Node::file(Vec::new(), mode) };
        node.mode = mode;
        self.nodes.insert(number, node);
        self.change_entry(folder, EntryChange::Set(name.to_owned(), number));
        number
    }

    pub(crate) fn remove(&mut self, folder: u64, name: &str) {
        self.change_entry(folder, EntryChange::Gone(name.to_owned()));
    }

    pub(crate) fn rename(&mut self, from: (u64, &str), to: (u64, &str), node: u64) {
        if from.0 == to.0 {
            let (from_name, to_name) = (from.1.to_owned(), to.1.to_owned());
            let moved = EntryChange::Moved { from: from_name, to: to_name, node };
            self.change_entry(from.0, moved);
        } else {
            self.change_entry(to.0, EntryChange::Set(to.1.to_owned(), node));
            self.change_entry(from.0, EntryChange::Gone(from.1.to_owned()));
        }
    }

    pub(crate) fn sync(&mut self, number: u64) {
        if self.drops_syncs {
            return;
        }
        match self.nodes.get_mut(&number).map(|node| &mut node.content) {
            Some(Content::File { safe, pending, .. }) => {
                pending.drain(..).for_each(|change| apply(safe, &change));
            }
            Some(Content::Folder { safe, pending, .. }) => {
                pending.drain(..).for_each(|change| enter(safe, &change));
            }
            None => {}
        }
    }

    pub(crate) fn sync_all(&mut self) {
        let numbers: Vec<u64> = self.nodes.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.sync(number));
    }

    /// The disk after the power has come back.
    pub(crate) fn cut(&self, random: &mut Random) -> Disk {
        let nodes = self.nodes.iter().map(|(number, node)| {
            let cut = match &node.content {
                Content::File { safe, pending, .. } => {
                    let dropped = if self.drops_syncs { &[][..] } else { &pending[..] };
                    Node::file(cut_file(safe, dropped, random), node.mode)
                }
                Content::Folder { safe, pending, .. } => {
                    let mut entries = safe.clone();
                    let some = random.index(pending.len() + 1);
                    let kept = if self.drops_syncs { 0 } else { some };
                    pending.iter().take(kept).for_each(|change| enter(&mut entries, change));
                    let mut folder = Node::folder(entries);
                    folder.mode = node.mode;
                    folder
                }
            };
            (*number, cut)
        });
        let mut left = Disk { nodes: nodes.collect(), next: self.next, drops_syncs: false };
        left.forget_unnamed();
        left
    }

    fn forget_unnamed(&mut self) {
        let mut named = BTreeSet::from([ROOT]);
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            let below: Vec<u64> =
                self.entries(folder).into_iter().flatten().map(|e| *e.1).collect();
            folders.extend(below.into_iter().filter(|number| named.insert(*number)));
        }
        self.nodes.retain(|number, _| named.contains(number));
    }
}

/// What of a file's changes a power cut has left.
fn cut_file(safe: &[u8], pending: &[Change], random: &mut Random) -> Vec<u8> {
    let mut data = safe.to_vec();
    match random.below(5) {
        // All dropped.
        0 => {}
        // All kept.
        1 => pending.iter().for_each(|change| apply(&mut data, change)),
        // Those up to some moment.
        2 => {
            let kept = random.index(pending.len() + 1);
            pending.iter().take(kept).for_each(|change| apply(&mut data, change));
        }
        // Grown without data.
        3 => {
            for change in pending {
                match change {
                    Change::Write { at, data: new } if at + new.len() > data.len() => {
                        data.resize(at + new.len(), 0);
                    }
                    Change::Write { .. } => {}
                    Change::Length(length) => data.resize(*length, 0),
                }
            }
        }
        // Some, in no order, and torn.
        _ => pending.iter().for_each(|change| apply_torn(&mut data, change, random)),
    }
    data
}

fn apply_torn(data: &mut Vec<u8>, change: &Change, random: &mut Random) {
    let Change::Write { at, data: new } = change else {
        if random.below(2) == 0 {
            apply(data, change);
        }
        return;
    };
    let mut from = 0;
    while from < new.len() {
        let sector_end = (at + from) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
        let to = (sector_end - at).min(new.len());
        if random.below(2) == 0 {
            apply(data, &Change::Write { at: at + from, data: new[from..to].to_vec() });
        }
        from = to;
    }
}
