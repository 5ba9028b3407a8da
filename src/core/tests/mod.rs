//! The core, by its sentences.

#![expect(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod account;
mod account_change;
mod amend;
mod asking;
mod belief;
mod callers;
mod cancel;
mod checking;
mod consistency;
mod deadlines;
mod explain;
mod files;
mod forecast;
mod groups;
mod growth;
mod hours;
mod laws;
mod link;
mod model;
mod network;
mod numbers;
mod outage;
mod pacing;
mod passkey;
mod people;
mod phone;
mod preparing;
mod queue;
mod redaction;
mod refusals;
mod replace;
mod resolving;
mod simulated;
mod streams;
mod uploads;
mod virtual_time;
mod words;
mod world;
