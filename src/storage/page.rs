//! Cursor pagination: rows are ordered by creation time and id, a cursor names the last row that was seen.

use crate::{Error, Result, error::Code, error::FieldError};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};

/// Rows of a page at most.
pub const MAX_LIMIT: u16 = 200;
/// Rows of a page when nothing is asked.
pub const DEFAULT_LIMIT: u16 = 50;

/// The last row that was seen. Opaque to callers; holds nothing that a scope would hide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Creation time of that row.
    pub created_at: DateTime<Utc>,
    /// Its id.
    pub id: String,
}

impl Cursor {
    /// The text form.
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}:{}", self.created_at.timestamp_micros(), self.id))
    }

    /// Reads the text form.
    pub fn decode(text: &str) -> Result<Self> {
        let read = || {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            let plain = String::from_utf8(bytes).ok()?;
            let (micros, id) = plain.split_once(':')?;
            let printable =
                !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
            let created_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            printable.then(|| Self {
                created_at,
                id: id.to_owned(),
            })
        };
        read().ok_or_else(|| {
            Error::new(Code::InvalidQuery, "The cursor is not one that this list gave.").with_fields(vec![
                FieldError::new("query:cursor", "invalid", "not a cursor of this list"),
            ])
        })
    }
}

/// What part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows at most, 1–[`MAX_LIMIT`].
    pub limit: u16,
    /// After which row; `None` begins.
    pub after: Option<Cursor>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            after: None,
        }
    }
}

impl PageRequest {
    /// One row more than asked tells whether there is a next page.
    pub(super) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    pub(super) fn after_time(&self) -> Option<DateTime<Utc>> {
        self.after.as_ref().map(|cursor| cursor.created_at)
    }

    pub(super) fn after_id(&self) -> Option<&str> {
        self.after.as_ref().map(|cursor| cursor.id.as_str())
    }

    /// The page of a list that is at hand as a whole, in the order of its cursors.
    pub(crate) fn of_all<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
        items.sort_by_key(&cursor);
        if let Some(after) = &self.after {
            items.retain(|item| cursor(item) > *after);
        }
        self.page(items, cursor)
    }

    /// Cuts the surplus row off and makes the cursor of the last one that stays.
    pub(super) fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
        let more = items.len() > usize::from(self.limit);
        items.truncate(self.limit.into());
        let next = if more { items.last().map(cursor) } else { None };
        Page { items, next }
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next part begins; `None` when there is none.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_noise_is_refused() {
        let cursor = Cursor {
            created_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            id: "tnt_x".into(),
        };
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        let huge = BASE64_URL_SAFE_NO_PAD.encode(format!("{}:x", i64::MAX));
        for bad in [
            "",
            "x",
            "!!!!",
            "MTp4eA==",
            huge.as_str(),
            &BASE64_URL_SAFE_NO_PAD.encode("1:a\u{0}b"),
        ] {
            assert!(Cursor::decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_surplus_row_only_tells_that_there_is_more() {
        let request = PageRequest {
            limit: 2,
            after: None,
        };
        let cursor = |id: &i32| Cursor {
            created_at: DateTime::UNIX_EPOCH,
            id: id.to_string(),
        };
        let page = request.page(vec![1, 2, 3], cursor);
        assert_eq!((page.items, page.next.unwrap().id), (vec![1, 2], "2".to_owned()));
        assert!(request.page(vec![1, 2], cursor).next.is_none());
    }

    #[test]
    fn pages_of_a_list_at_hand_have_every_item_once_in_order() {
        let cursor = |item: &(i64, &str)| Cursor {
            created_at: DateTime::from_timestamp(item.0, 0).unwrap(),
            id: item.1.to_owned(),
        };
        let all = vec![(7, "b"), (9, "a"), (7, "a"), (1, "z"), (7, "c")];
        let mut request = PageRequest {
            limit: 2,
            after: None,
        };
        let mut seen = Vec::new();
        loop {
            let page = request.of_all(all.clone(), cursor);
            seen.extend(page.items);
            match page.next {
                Some(next) => request.after = Some(Cursor::decode(&next.encode()).unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, [(1, "z"), (7, "a"), (7, "b"), (7, "c"), (9, "a")]);
    }
}
