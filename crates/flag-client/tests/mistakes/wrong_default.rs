flag_client::flags! {
    pub BETA_SEARCH: bool = "on", name = "beta_search", ticket = "https://tickets.example/1";
}

fn main() {}
