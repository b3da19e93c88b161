//! Reading many rows a page at a time, so that memory stays bounded however many there are.

use flag_model::ProjectName;

use crate::row_key::rows_prefix;
use crate::rows::{Row, RowStore, Scan};
use crate::store_error::StoreError;

/// All rows of a project: metadata, head and revisions.
pub fn project_rows(project: &ProjectName) -> Scan {
    Scan::prefix(rows_prefix(project))
}

/// The rows of a [`Scan`], page by page, in its order; its limit is the size of a page.
///
/// Rows that are written meanwhile are among them or not, as each page is a scan of its own.
#[derive(Debug)]
pub struct Pages<'a> {
    rows: &'a dyn RowStore,
    scan: Option<Scan>,
}

impl<'a> Pages<'a> {
    /// The default size of a page.
    pub const DEFAULT_SIZE: usize = 500;

    /// Prepares to read; nothing is read yet.
    pub fn new(rows: &'a dyn RowStore, scan: Scan) -> Self {
        let limit = scan.limit.unwrap_or(Self::DEFAULT_SIZE);
        Self {
            rows,
            scan: Some(scan.limit(limit)),
        }
    }

    /// The next page; empty at the end, and from then on. After an error the same page is read again.
    pub async fn next(&mut self) -> Result<Vec<Row>, StoreError> {
        let Some(scan) = &mut self.scan else {
            return Ok(Vec::new());
        };
        let page = self.rows.scan(scan.clone()).await?;
        match page.last() {
            Some(last) if Some(page.len()) == scan.limit => scan.go_on_after(&last.key),
            _ => self.scan = None,
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::rows::Cells;

    async fn check(scan: Scan, expected: &[&[&str]]) {
        let store = MemoryStore::default();
        for key in ["a", "b", "b\0", "c", "d"] {
            let cells = Cells::default().with("Name", "1");
            let key = key.into();
            let row = Row { key, cells };
            store.insert_if_absent(&row).await.unwrap();
        }
        let mut pages = Pages::new(&store, scan);
        for page in expected.iter().chain(&[&[][..]; 2]) {
            let keys = pages.next().await.unwrap();
            let keys: Vec<_> = keys.iter().map(|row| row.key.clone()).collect();
            assert_eq!(
                keys,
                page.iter().map(|key| key.as_bytes()).collect::<Vec<_>>()
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pages_follow_each_other_without_a_gap() {
        let all = Scan::prefix("");
        check(all.clone().limit(2), &[&["a", "b"], &["b\0", "c"], &["d"]]).await;
        let descending = all.clone().descending().limit(2);
        check(descending, &[&["d", "c"], &["b\0", "b"], &["a"]]).await;
        check(all.clone().limit(5), &[&["a", "b", "b\0", "c", "d"]]).await;
        check(Scan::prefix("b"), &[&["b", "b\0"]]).await;
        check(all.limit(0), &[]).await;
    }
}
