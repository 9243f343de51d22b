//! Evaluates expressions to the texts that they may be, where that is certain.

use crate::{
    resolve::{Answer, Env, Space, Target},
    value::{Path, Value, is_standard},
};

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// One of these texts.
    Texts(Vec<String>),
    /// A pair whose name is this.
    Pair(Box<Self>),
    /// A list of labels, or of texts.
    List(Vec<Self>),
    /// A label that is checked where it is built.
    Built(Box<Self>),
    Unknown,
}

/// How far constants are followed.
const MAX_HOPS: usize = 16;
/// How many texts an expression may stand for.
const MAX_TEXTS: usize = 64;

impl Known {
    /// The texts, if it is texts.
    pub fn texts(self) -> Option<Vec<String>> {
        match self {
            Self::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// The texts of the name of a label.
    pub fn name(self) -> Option<Vec<String>> {
        match self {
            Self::Texts(texts) => Some(texts),
            Self::Pair(name) => name.name(),
            _ => None,
        }
    }
}

impl Env<'_> {
    /// What is known of a value here.
    pub fn eval(&self, value: &Value) -> Known {
        self.eval_in(value, MAX_HOPS)
    }

    fn eval_in(&self, value: &Value, hops: usize) -> Known {
        let Some(hops) = hops.checked_sub(1) else { return Known::Unknown };
        match value {
            Value::Text(text) => Known::Texts(vec![text.clone()]),
            Value::OneOf(arms) => one_of(arms.iter().map(|arm| self.eval_in(arm, hops))),
            Value::Concat(parts) => self.concat(parts, hops),
            Value::Path(path, by_macro) => self.constant(path, *by_macro, hops),
            Value::List(elements) => Known::List(elements.iter().map(|one| self.eval_in(one, hops)).collect()),
            Value::Pair(name) => Known::Pair(Box::new(self.eval_in(name, hops))),
            Value::Built(path, name) => {
                let is_label = path.is_empty()
                    || self.resolve(path, Space::Value, false).targets.iter().any(|target| {
                        matches!(target, Target::Metrics(item) if item.first().is_some_and(|first| first == "Label"))
                    });
                if is_label { Known::Built(Box::new(self.eval_in(name, hops))) } else { Known::Unknown }
            }
            Value::Through(path, is_macro, inner) => {
                if self.is_of_the_tree(path, *is_macro) {
                    Known::Unknown
                } else {
                    self.eval_in(inner, hops)
                }
            }
            Value::Slice(inner, start, end) => slice(self.eval_in(inner, hops), *start, *end),
            Value::Unknown => Known::Unknown,
        }
    }

    fn concat(&self, parts: &[Value], hops: usize) -> Known {
        let mut texts = vec![String::new()];
        for part in parts {
            let Some(ends) = self.eval_in(part, hops).texts() else { return Known::Unknown };
            texts = texts.iter().flat_map(|text| ends.iter().map(move |end| format!("{text}{end}"))).collect();
            if texts.len() > MAX_TEXTS {
                return Known::Unknown;
            }
        }
        Known::Texts(texts)
    }

    /// Whether the tree has its own `vec!`, `String` and the like.
    fn is_of_the_tree(&self, path: &Path, is_macro: bool) -> bool {
        let space = if is_macro { Space::Macro } else { Space::Type };
        let Answer { targets, certain } = self.resolve(path, space, false);
        let is_own = |target: &Target| !matches!(target, Target::Metrics(_) | Target::Outside(_) | Target::Other(..));
        targets.iter().any(is_own) || is_macro && !certain && !is_standard(path)
    }

    /// The value of a constant or a variable. Several definitions of one name count only if they agree.
    fn constant(&self, path: &[String], by_macro: bool, hops: usize) -> Known {
        let Answer { targets, certain } = self.resolve(path, Space::Value, by_macro);
        if !certain {
            return Known::Unknown;
        }
        let mut values = targets.into_iter().map(|target| match target {
            Target::Variable(known) => known,
            Target::Value(value, module, frames) => {
                let frames = if frames == 0 { &[][..] } else { self.frames.get(..frames).unwrap_or_default() };
                Env { names: self.names, module, frames, sees_variables: false }.eval_in(&value, hops)
            }
            _ => Known::Unknown,
        });
        let Some(first) = values.next() else { return Known::Unknown };
        if values.all(|value| value == first) { first } else { Known::Unknown }
    }
}

/// One of several: known if each is.
fn one_of(arms: impl Iterator<Item = Known>) -> Known {
    let mut texts = Vec::new();
    let mut lists = Vec::new();
    for arm in arms {
        match arm {
            Known::Texts(more) => texts.extend(more),
            Known::List(more) => lists.push(more),
            _ => return Known::Unknown,
        }
    }
    match (texts.is_empty(), lists.as_slice()) {
        (false, []) if texts.len() <= MAX_TEXTS => {
            texts.dedup();
            Known::Texts(texts)
        }
        (true, [only]) => Known::List(only.clone()),
        _ => Known::Unknown,
    }
}

fn slice(known: Known, start: usize, end: Option<usize>) -> Known {
    match known {
        Known::List(all) => {
            let part = all.get(start..end.unwrap_or(all.len()));
            part.map_or(Known::Unknown, |part| Known::List(part.to_vec()))
        }
        Known::Texts(texts) => {
            let part = |text: &String| Some(text.get(start..end.unwrap_or(text.len()))?.to_owned());
            texts.iter().map(part).collect::<Option<Vec<_>>>().map_or(Known::Unknown, Known::Texts)
        }
        _ => Known::Unknown,
    }
}
