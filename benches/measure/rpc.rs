//! A client of a socket that speaks JSON-RPC in lines: the daemon's, or the simulator's.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

pub(crate) struct Rpc {
    reader: BufReader<UnixStream>,
}

impl Rpc {
    /// None: nobody listens there yet.
    pub(crate) fn connect(path: &Path) -> Option<Rpc> {
        Some(Rpc { reader: BufReader::new(UnixStream::connect(path).ok()?) })
    }

    /// The result of one call, which must be good.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.write(method, params);
        self.read()
    }

    /// The result of one call; none: it is refused, or the connection is.
    pub(crate) fn try_call(&mut self, method: &str, params: &Value) -> Option<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.reader.get_mut().write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        let mut reply: Value = serde_json::from_str(&line).ok()?;
        Some(reply["result"].take()).filter(|result| !result.is_null())
    }

    /// The results of many calls that do not wait for each other.
    pub(crate) fn pipelined(&mut self, method: &str, params: &[Value]) -> Vec<Value> {
        let mut results = Vec::with_capacity(params.len());
        // Fewer than a connection takes at a time.
        for some in params.chunks(16) {
            some.iter().for_each(|params| self.write(method, params));
            results.extend(some.iter().map(|_| self.read()));
        }
        results
    }

    fn write(&mut self, method: &str, params: &Value) {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.reader.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let mut reply: Value = serde_json::from_str(&line).unwrap();
        assert!(reply["error"].is_null(), "{line}");
        reply["result"].take()
    }
}
