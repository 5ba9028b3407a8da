//! The program: its start, its end, its tokens.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn program(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tether-web"));
    command.arg("--config").arg(config).stdin(Stdio::null());
    command
}

fn config(dir: &Path, listen: &str) -> PathBuf {
    let path = dir.join("web.toml");
    let (tokens, socket) = (dir.join("tokens"), dir.join("control.sock"));
    let text =
        format!("[listen]\n{listen}\n[tokens]\nfile = {tokens:?}\n[daemons]\nmain = {socket:?}\n");
    std::fs::write(&path, text).unwrap();
    path
}

fn output(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts it, and reads on until it listens. Answers where.
    fn start(mut command: Command) -> (Running, String) {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let running = Running(child);
        for line in lines.map_while(Result::ok) {
            if let Some((_, place)) = line.split_once("listening on ") {
                return (running, place.to_owned());
            }
        }
        panic!("it does not listen");
    }

    fn terminate(&mut self) -> i32 {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        self.0.wait().unwrap().code().unwrap()
    }
}

fn first_line(mut stream: impl std::io::Read + std::io::Write, host: &str) -> String {
    write!(stream, "GET /openapi.json HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines().next().unwrap().to_owned()
}

#[test]
fn it_serves_on_loopback_and_ends_on_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "address = \"127.0.0.1:0\"");
    let (mut running, place) = Running::start(program(&config));
    let host = place.strip_prefix("http://").unwrap().trim_end_matches('/');
    assert_eq!(first_line(TcpStream::connect(host).unwrap(), host), "HTTP/1.1 200 OK");
    assert_eq!(running.terminate(), 0);
    TcpStream::connect(host).unwrap_err();
}

#[test]
fn it_serves_on_a_unix_socket_under_the_names_of_its_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.sock");
    let listen = format!(
        "address = \"unix:{}\"\ntls_in_front = true\norigins = [\"https://queue.example\"]",
        path.display()
    );
    let (mut running, _) = Running::start(program(&config(dir.path(), &listen)));
    let connect = || std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert_eq!(first_line(connect(), "queue.example"), "HTTP/1.1 200 OK");
    assert_eq!(first_line(connect(), "other.example"), "HTTP/1.1 421 Misdirected Request");
    assert_eq!(running.terminate(), 0);
    assert!(!path.exists());
}

#[test]
fn an_open_address_is_refused_without_tls_in_front() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(&config(dir.path(), "address = \"0.0.0.0:0\""));
    let (code, _, said) = output(program(&config(dir.path(), "address = \"0.0.0.0:0\"")));
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("tls_in_front"), "{said}");
    assert_eq!(
        output({
            command.arg("check-config");
            command
        })
        .0,
        78
    );
}

/// Starts the program with a descriptor as systemd passes it.
fn activated(config: &Path, name: &str, listener: OwnedFd) -> Command {
    let mut command = Command::new("sh");
    let script = format!("exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} exec \"$@\"");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tether-web"), "--config"]).arg(config);
    command.stdin(listener);
    command
}

#[test]
fn a_socket_that_is_passed_comes_before_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let passed = || OwnedFd::from(listener.try_clone().unwrap());
    let (mut running, place) = Running::start(activated(&config, "web", passed()));
    assert_eq!(place, format!("http://{host}/"));
    assert_eq!(first_line(TcpStream::connect(&host).unwrap(), &host), "HTTP/1.1 200 OK");
    assert_eq!(running.terminate(), 0);

    let (code, _, said) = output(activated(&config, "other", passed()));
    assert_eq!(code, 78);
    assert!(said.contains("FileDescriptorName=web"), "{said}");
}

#[test]
fn a_socket_that_is_passed_and_has_no_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("web.sock")).unwrap();
    let config = config(dir.path(), "");
    let (code, _, said) = output(activated(&config, "web", listener.into()));
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("`origins`"), "{said}");
}

#[test]
fn tokens_are_made_listed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "");
    let token = |args: &[&str]| {
        let mut command = program(&config);
        command.arg("token").args(args).process_group(0);
        output(command)
    };
    let (code, made, _) = token(&["add", "shop", "--tier", "send"]);
    assert_eq!(code, 0);
    assert!(made.trim().starts_with("tether_"), "{made}");
    assert_eq!(token(&["add", "shop", "--tier", "read"]).0, 1);
    assert_eq!(token(&["add", "a b", "--tier", "read"]).0, 65);
    assert_eq!(token(&["add", "x", "--tier", "root"]).0, 64);
    let (_, listed, _) = token(&["list"]);
    assert!(listed.starts_with("shop  send  "), "{listed}");
    assert!(!listed.contains(made.trim()));
    assert_eq!(token(&["remove", "shop"]).0, 0);
    assert_eq!(token(&["remove", "shop"]).0, 66);
    assert_eq!(token(&["list"]).1, "");
}

#[test]
fn a_webhook_s_secret_is_made_and_its_place_is_never_reset() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(dir.path(), "address = \"127.0.0.1:0\"");
    let text = std::fs::read_to_string(&path).unwrap();
    let webhook = "[[webhook]]\nname = \"shop\"\nurl = \"https://hooks.example/s3cret\"\n";
    std::fs::write(&path, text + webhook).unwrap();
    let mut check = program(&path);
    check.arg("check-config");
    let (code, said, _) = output(check);
    assert!(code == 0 && said.contains("; webhooks: shop"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let new_secret = |name: &str| {
        let mut command = program(&path);
        command.args(["webhook", "new-secret", name]);
        output(command)
    };
    let (code, made, _) = new_secret("shop");
    assert_eq!(code, 0);
    assert!(made.starts_with("whsec_") && made.trim().len() == 50, "{made}");
    let file = dir.path().join("webhooks/shop/secret");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made);
    let (_, second, _) = new_secret("shop");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), second + &made);
    assert_eq!(new_secret("other").0, 66);
    std::fs::write(&file, "x y z").unwrap();
    assert_eq!(new_secret("shop").0, 65);

    let place = dir.path().join("webhooks/shop/main.json");
    std::fs::write(&place, "{").unwrap();
    let (code, _, said) = output(program(&path));
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("main.json") && !said.contains("s3cret"), "{said}");
    assert_eq!(std::fs::read_to_string(&place).unwrap(), "{");
}
