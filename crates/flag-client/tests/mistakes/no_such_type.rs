flag_client::flags! {
    pub SEARCH_DEPTH: u32 = 3, name = "search_depth", ticket = "https://tickets.example/1";
}

fn main() {}
