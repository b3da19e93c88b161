//! The current user: `FLAG_OWNER`, else the account of `gcloud`, else `USER` or `LOGNAME`, else the machine's list of users.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::{Variables, variable};

/// The variable with the owner of written rows.
const FLAG_OWNER: &str = "FLAG_OWNER";

/// The variables with the current user; the first one that is not blank is used.
pub(crate) const OWNER_VARIABLES: [&str; 3] = [FLAG_OWNER, "USER", "LOGNAME"];

/// Adds the current user as `FLAG_OWNER`, unless that is set: the signed-in Google account; else, if no other variable names one,
/// the login name.
pub(crate) fn with_owner(mut variables: Variables) -> Variables {
    if non_blank(&variables, FLAG_OWNER).is_none()
        && let Some(account) = google_account(&variables)
    {
        variables.insert(0, (FLAG_OWNER.into(), account));
    }
    let says = |name: &&str| non_blank(&variables, name).is_some();
    if !OWNER_VARIABLES.iter().any(says) {
        variables.insert(0, (FLAG_OWNER.into(), login_name().into()));
    }
    variables
}

/// The value of a variable; one that is blank counts as not set.
pub(crate) fn non_blank<'v>(variables: &'v Variables, name: &str) -> Option<&'v OsStr> {
    let is_blank = |value: &OsStr| value.to_str().is_some_and(|value| value.trim().is_empty());
    variable(variables, name).filter(|value| !is_blank(value))
}

/// The login name for the user id of the process; the id itself if it has no name.
fn login_name() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(id, &users).unwrap_or_else(|| format!("uid {id}"))
}

/// The name of a user in the form of `/etc/passwd`: `name:password:id:…`.
fn name_of(id: u32, users: &str) -> Option<String> {
    let mut users = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, user) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name, user.parse::<u32>().ok()?))
    });
    let (name, _) = users.find(|&(name, user)| user == id && !name.is_empty())?;
    Some(name.to_owned())
}

/// The account of the active configuration of `gcloud`; no program is started for it.
fn google_account(variables: &Variables) -> Option<OsString> {
    if let Some(account) = non_blank(variables, "CLOUDSDK_CORE_ACCOUNT") {
        return Some(account.to_owned());
    }
    let folder = non_blank(variables, "CLOUDSDK_CONFIG").map(PathBuf::from);
    let folder =
        folder.or_else(|| Some(Path::new(non_blank(variables, "HOME")?).join(".config/gcloud")))?;
    let active = non_blank(variables, "CLOUDSDK_ACTIVE_CONFIG_NAME").map(OsStr::to_owned);
    let active = active.or_else(|| {
        Some(
            fs::read_to_string(folder.join("active_config"))
                .ok()?
                .trim()
                .into(),
        )
    })?;
    let mut file = OsString::from("config_");
    file.push(active);
    let configuration = fs::read_to_string(folder.join("configurations").join(file)).ok()?;
    account(&configuration).map(OsString::from)
}

/// The account in the section `core` of a configuration.
fn account(configuration: &str) -> Option<&str> {
    let core = configuration
        .lines()
        .skip_while(|line| line.trim() != "[core]")
        .skip(1);
    let mut fields = core
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='));
    let (_, account) = fields.find(|(key, _)| key.trim() == "account")?;
    Some(account.trim()).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The owner after looking, with a `gcloud` folder whose active configuration says this.
    fn owner(set: &[(&str, &str)], configuration: &str) -> Option<OsString> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("configurations")).unwrap();
        fs::write(folder.path().join("active_config"), "work\n").unwrap();
        fs::write(
            folder.path().join("configurations/config_work"),
            configuration,
        )
        .unwrap();
        let mut variables: Variables = vec![("CLOUDSDK_CONFIG".into(), folder.path().into())];
        variables.extend(
            set.iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value))),
        );
        non_blank(&with_owner(variables), FLAG_OWNER).map(OsStr::to_owned)
    }

    const SIGNED_IN: &str =
        "[core]\nproject = p\naccount = ann@example.com\n\n[compute]\naccount = other\n";

    #[test]
    fn the_signed_in_account_is_the_owner() {
        assert_eq!(owner(&[], SIGNED_IN).unwrap(), "ann@example.com");
    }

    #[test]
    fn a_named_owner_is_the_owner_all_the_same() {
        assert_eq!(owner(&[(FLAG_OWNER, "bob")], SIGNED_IN).unwrap(), "bob");
        assert_eq!(
            owner(&[("CLOUDSDK_CORE_ACCOUNT", "carl@example.com")], SIGNED_IN).unwrap(),
            "carl@example.com"
        );
    }

    #[test]
    fn a_login_name_is_found_by_the_user_id() {
        let users = "root:x:0:0::/root:/bin/sh\n# a comment\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_of(1000, users).unwrap(), "ann");
        assert_eq!(name_of(1, users), None);
        assert_ne!(login_name(), "");
    }

    #[test]
    fn where_nobody_is_signed_in_the_login_name_counts() {
        let nobody = "[compute]\naccount = other\n[core]\nproject = p\n";
        assert_eq!(owner(&[("USER", "use")], nobody), None);
        let login = OsString::from(login_name());
        assert_eq!(owner(&[], nobody).as_ref(), Some(&login));
        let blank = [("USER", ""), ("LOGNAME", " ")];
        assert_eq!(owner(&blank, nobody), Some(login));
    }
}
