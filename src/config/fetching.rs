//! How the values of `[preflight]` and `[fetch]` are read and written.

use tetherd_net::ip_filter::parse_network;
use toml::de::DeValue;

use super::readers::{Wrong, quoted, text, type_name};
use super::value::{Links, did_you_mean};
use ipnet::IpNet;

/// Most networks in one list.
const NETWORKS_MAX: usize = 64;
const NETWORKS_REMEDY: &str = "Write a list of networks, such as [\"10.0.0.0/8\", \"fd00::/8\"].";

pub(super) fn links(value: &DeValue<'_>) -> Result<Links, Wrong> {
    let text = text(value)?;
    let names = Links::ALL.map(Links::name);
    Links::ALL.into_iter().find(|links| links.name() == text).ok_or_else(|| {
        let hint = match did_you_mean(text, names) {
            Some(name) => format!("Did you mean {name:?}? "),
            None => String::new(),
        };
        let what = format!("is {text:?}, which is none of its values.");
        Wrong::new(what, format!("{hint}There are {}.", names.join(", ")))
    })
}

pub(super) fn networks(value: &DeValue<'_>) -> Result<Vec<IpNet>, Wrong> {
    let list = value.as_array().ok_or_else(|| {
        Wrong::new(format!("must be a list, not {}.", type_name(value)), NETWORKS_REMEDY)
    })?;
    if list.len() > NETWORKS_MAX {
        let what = format!("has more than {NETWORKS_MAX} networks.");
        return Err(Wrong::new(what, "Write larger networks, and fewer of them."));
    }
    list.iter()
        .map(|entry| {
            let entry = text(entry.get_ref())?;
            parse_network(entry).map_err(|error| {
                Wrong::new(format!("names {entry:?}, but {error}."), NETWORKS_REMEDY)
            })
        })
        .collect()
}

pub(super) fn write_networks(networks: &[IpNet]) -> String {
    let written: Vec<String> = networks.iter().map(quoted).collect();
    format!("[{}]", written.join(", "))
}
