//! The texts of a vocabulary: by id, and ids by text, in one block of memory.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::ops::Index;

/// Texts by id, and back. A `String` for each in a list and again in a map would take five times the memory.
pub(super) struct Texts {
    /// One text after another.
    all: String,
    /// Where each ends in [`Self::all`], in bytes.
    ends: Vec<usize>,
    /// The last id of each text.
    ids: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Texts {
    /// Numbers `texts` from 0; of several equal ones, the last is found by its text.
    pub(super) fn new(texts: &[&str]) -> Self {
        let mut found = Self {
            all: texts.concat(),
            ends: Vec::with_capacity(texts.len()),
            ids: HashTable::with_capacity(texts.len()),
            hasher: DefaultHashBuilder::default(),
        };
        let mut end = 0;
        for text in texts {
            end += text.len();
            found.ends.push(end);
        }
        let Self {
            all,
            ends,
            ids,
            hasher,
        } = &mut found;
        let of = |id: u32| part(all, ends, id as usize);
        for (id, text) in texts.iter().enumerate() {
            let id = id as u32;
            let entry = ids.entry(
                hasher.hash_one(text),
                |&other| of(other) == *text,
                |&other| hasher.hash_one(of(other)),
            );
            *entry.or_insert(id).get_mut() = id;
        }
        found
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of `id`.
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        ((id as usize) < self.len()).then(|| &self[id])
    }

    /// The last id that is spelt `text`.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.ids.find(hash, |&id| &self[id] == text).copied()
    }

    /// The texts, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|id| part(&self.all, &self.ends, id))
    }
}

impl Index<u32> for Texts {
    type Output = str;

    fn index(&self, id: u32) -> &str {
        part(&self.all, &self.ends, id as usize)
    }
}

fn part<'a>(all: &'a str, ends: &[usize], id: usize) -> &'a str {
    let start = id.checked_sub(1).map_or(0, |before| ends[before]);
    &all[start..ends[id]]
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn texts_are_found_by_id_and_ids_by_text_the_last_of_equals() {
        let texts = Texts::new(&["a", "", "héllo", "a", "b"]);
        assert_eq!(texts.len(), 5);
        assert_eq!(
            texts.iter().collect::<Vec<_>>(),
            ["a", "", "héllo", "a", "b"]
        );
        assert_eq!(&texts[2], "héllo");
        assert_eq!(texts.get(5), None);
        let ids = ["a", "", "héllo", "b", "c"].map(|text| texts.id(text));
        assert_eq!(ids, [Some(3), Some(1), Some(2), Some(4), None]);
    }
}
