// error: no rules expected `;`
flag_client::flags! {
    pub BETA_SEARCH: bool = false, name = "beta_search";
}

fn main() {}
