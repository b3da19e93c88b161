//! Tells production from other environments by name.

/// Whether an environment is production: `prod`, or a name with the part `prod` between `-`, `_` and `.`.
///
/// The one rule for it: `hcb-prod` and `prod.eu` are, `hcb-nonprod` and `preprod` are not. Case is ignored.
pub fn is_production(environment: &str) -> bool {
    environment
        .split(['-', '_', '.'])
        .any(|part| part.eq_ignore_ascii_case("prod"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_name_says_production() {
        for environment in ["prod", "hcb-prod", "prod-eu", "hcb_prod.2", "HCB-PROD"] {
            assert!(is_production(environment), "{environment}");
        }
        for environment in ["", "hcb-dev", "hcb-nonprod", "preprod", "product", "prod2"] {
            assert!(!is_production(environment), "{environment}");
        }
    }
}
