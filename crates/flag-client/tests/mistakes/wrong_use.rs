// error[E0308]: mismatched types
// expected `String`, found `bool`
flag_client::flags! {
    pub BETA_SEARCH: bool = false, name = "beta_search", ticket = "https://tickets.example/1";
}

fn main() {
    let client = flag_client::FeatureFlagClient::new("csr-assistant");
    let _: String = BETA_SEARCH.get(&client, "A12345");
}
