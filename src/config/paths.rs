//! Where things are when nobody says: for a system service, and for a user.
//! Reads the process's environment once and decides from that copy alone.

use std::path::PathBuf;

/// Where a system service's configuration is.
pub const SYSTEM_CONFIG: &str = "/etc/tetherd/tetherd.toml";
/// Where a system service keeps its state.
pub const SYSTEM_STATE_DIR: &str = "/var/lib/tetherd";
/// Where a system service's socket is.
pub const SYSTEM_SOCKET: &str = "/run/tetherd/control.sock";
/// The credential that holds the key for the session's secrets.
pub const KEY_CREDENTIAL: &str = "tetherd.key";
/// The socket's name in its folder.
const SOCKET_NAME: &str = "control.sock";

/// What of the environment decides about paths. Empty variables count as unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Whether this is root, or started as a system service by systemd.
    pub root: bool,
    /// `TETHERD_CONFIG`.
    pub config: Option<PathBuf>,
    /// `STATE_DIRECTORY`, as systemd sets it; the first of several.
    pub state_directory: Option<PathBuf>,
    /// `RUNTIME_DIRECTORY`, as systemd sets it; the first of several.
    pub runtime_directory: Option<PathBuf>,
    /// The key for the session's secrets, if the service manager passes one:
    /// [`KEY_CREDENTIAL`] in `CREDENTIALS_DIRECTORY`.
    pub key_credential: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Environment {
    /// This process's.
    pub fn current() -> Self {
        let path = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        // The XDG specification says that relative paths are to be ignored.
        let absolute = |name: &str| path(name).filter(|path| path.is_absolute());
        Environment {
            root: nix::unistd::geteuid().is_root(),
            config: path("TETHERD_CONFIG"),
            state_directory: path("STATE_DIRECTORY").map(first_of_list),
            runtime_directory: path("RUNTIME_DIRECTORY").map(first_of_list),
            key_credential: absolute("CREDENTIALS_DIRECTORY")
                .map(|folder| folder.join(KEY_CREDENTIAL))
                .filter(|file| file.exists()),
            xdg_config_home: absolute("XDG_CONFIG_HOME"),
            xdg_state_home: absolute("XDG_STATE_HOME"),
            xdg_runtime_dir: absolute("XDG_RUNTIME_DIR"),
            home: absolute("HOME"),
        }
    }

    /// Root's, with nothing set: what the example configuration describes.
    pub fn system() -> Self {
        Environment { root: true, ..Environment::default() }
    }

    /// The configuration's path when no option names one, and whether somebody asked
    /// for this very file (then it has to exist).
    pub fn config_file(&self) -> Option<(PathBuf, bool)> {
        if let Some(path) = &self.config {
            return Some((path.clone(), true));
        }
        if self.is_system() {
            return Some((PathBuf::from(SYSTEM_CONFIG), false));
        }
        let folder = self.under_home(self.xdg_config_home.as_ref(), ".config")?;
        Some((folder.join("tetherd/tetherd.toml"), false))
    }

    /// The state directory when the configuration names none.
    pub fn state_dir(&self) -> Option<PathBuf> {
        if let Some(path) = &self.state_directory {
            return Some(path.clone());
        }
        if self.is_system() {
            return Some(PathBuf::from(SYSTEM_STATE_DIR));
        }
        Some(self.under_home(self.xdg_state_home.as_ref(), ".local/state")?.join("tetherd"))
    }

    /// The daemon's socket when the configuration names none.
    pub fn socket_path(&self) -> Option<PathBuf> {
        if let Some(folder) = &self.runtime_directory {
            return Some(folder.join(SOCKET_NAME));
        }
        if self.is_system() {
            return Some(PathBuf::from(SYSTEM_SOCKET));
        }
        self.xdg_runtime_dir.as_ref().map(|folder| folder.join("tetherd").join(SOCKET_NAME))
    }

    /// The sockets that a client tries when none is named, in this order: the user's
    /// own daemon, then the system's.
    pub fn client_sockets(&self) -> Vec<PathBuf> {
        let user = self.xdg_runtime_dir.as_ref().filter(|_| !self.root);
        let user = user.map(|folder| folder.join("tetherd").join(SOCKET_NAME));
        user.into_iter().chain([PathBuf::from(SYSTEM_SOCKET)]).collect()
    }

    /// A service under its own user is a system service too: systemd then names the folder.
    fn is_system(&self) -> bool {
        let by_systemd =
            self.state_directory.as_ref().is_some_and(|path| path.starts_with("/var/lib"));
        self.root || by_systemd
    }

    fn under_home(&self, own: Option<&PathBuf>, below: &str) -> Option<PathBuf> {
        own.cloned().or_else(|| self.home.as_ref().map(|home| home.join(below)))
    }
}

fn first_of_list(list: PathBuf) -> PathBuf {
    match list.to_str().and_then(|text| text.split(':').next()) {
        Some(first) => PathBuf::from(first),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Environment {
        Environment {
            home: Some("/home/u".into()),
            xdg_runtime_dir: Some("/run/user/1000".into()),
            ..Environment::default()
        }
    }

    #[test]
    fn root_uses_the_system_s_folders() {
        let root = Environment { home: Some("/root".into()), ..Environment::system() };
        assert_eq!(root.config_file(), Some((SYSTEM_CONFIG.into(), false)));
        assert_eq!(root.state_dir(), Some(SYSTEM_STATE_DIR.into()));
        assert_eq!(root.socket_path(), Some(SYSTEM_SOCKET.into()));
        assert_eq!(root.client_sockets(), [PathBuf::from(SYSTEM_SOCKET)]);
    }

    #[test]
    fn a_user_has_their_own_folders() {
        let user = user();
        let config = "/home/u/.config/tetherd/tetherd.toml";
        assert_eq!(user.config_file(), Some((config.into(), false)));
        assert_eq!(user.state_dir(), Some("/home/u/.local/state/tetherd".into()));
        assert_eq!(user.socket_path(), Some("/run/user/1000/tetherd/control.sock".into()));
        assert_eq!(user.client_sockets().len(), 2);
    }

    #[test]
    fn a_service_gets_its_folders_from_systemd() {
        let service = Environment {
            state_directory: Some("/var/lib/tetherd/office".into()),
            runtime_directory: Some("/run/tetherd/office".into()),
            ..Environment::default()
        };
        assert_eq!(service.state_dir(), Some("/var/lib/tetherd/office".into()));
        assert_eq!(service.socket_path(), Some("/run/tetherd/office/control.sock".into()));
        assert_eq!(service.config_file(), Some((SYSTEM_CONFIG.into(), false)));
        assert_eq!(first_of_list("/a:/b".into()), PathBuf::from("/a"));
    }

    #[test]
    fn nothing_is_guessed_without_a_home() {
        let nobody = Environment::default();
        assert_eq!(nobody.config_file(), None);
        assert_eq!(nobody.state_dir(), None);
        assert_eq!(nobody.socket_path(), None);
    }

    #[test]
    fn a_named_file_has_to_exist() {
        let named = Environment { config: Some("/x.toml".into()), ..user() };
        assert_eq!(named.config_file(), Some(("/x.toml".into(), true)));
    }
}
