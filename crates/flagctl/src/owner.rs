//! Who is signed in with Google Cloud on this machine, as far as its own tool has written it down.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Variables;

/// The variable that names the owner of what is written.
pub(crate) const FLAG_OWNER: &str = "FLAG_OWNER";

/// The variables, with the signed-in Google account as the owner where they name none.
pub(crate) fn with_google_account(mut variables: Variables) -> Variables {
    if get(&variables, FLAG_OWNER).is_none()
        && let Some(account) = google_account(&variables)
    {
        variables.push((FLAG_OWNER.into(), account));
    }
    variables
}

/// The account of the active configuration of `gcloud`; no program is started for it.
fn google_account(variables: &Variables) -> Option<OsString> {
    if let Some(account) = get(variables, "CLOUDSDK_CORE_ACCOUNT") {
        return Some(account.to_owned());
    }
    let folder = get(variables, "CLOUDSDK_CONFIG").map(PathBuf::from);
    let folder =
        folder.or_else(|| Some(Path::new(get(variables, "HOME")?).join(".config/gcloud")))?;
    let active = get(variables, "CLOUDSDK_ACTIVE_CONFIG_NAME").map(OsStr::to_owned);
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

/// The value of a variable; an empty one is not set.
fn get<'v>(variables: &'v Variables, name: &str) -> Option<&'v OsStr> {
    let found = variables.iter().find(|(variable, _)| variable == name);
    found
        .map(|(_, value)| value.as_os_str())
        .filter(|value| !value.is_empty())
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
        get(&with_google_account(variables), FLAG_OWNER).map(OsStr::to_owned)
    }

    const SIGNED_IN: &str =
        "[core]\nproject = p\naccount = ann@example.com\n\n[compute]\naccount = other\n";

    #[test]
    fn whoever_is_signed_in_is_the_owner() {
        assert_eq!(owner(&[], SIGNED_IN).unwrap(), "ann@example.com");
    }

    #[test]
    fn whoever_is_named_is_the_owner_all_the_same() {
        assert_eq!(owner(&[(FLAG_OWNER, "bob")], SIGNED_IN).unwrap(), "bob");
        assert_eq!(
            owner(&[("CLOUDSDK_CORE_ACCOUNT", "carl@example.com")], SIGNED_IN).unwrap(),
            "carl@example.com"
        );
    }

    #[test]
    fn nobody_signed_in_is_nobody() {
        assert_eq!(
            owner(&[], "[compute]\naccount = other\n[core]\nproject = p\n"),
            None
        );
    }
}
