//! What a path may stand for.

use crate::{
    eval::Known,
    names::{MacroRef, ModuleId},
    value::{Path, Value},
};

/// The namespace of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Types, modules, packages.
    Type,
    Value,
    Macro,
}

/// What a path stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Metrics(Path),
    PerhapsMetrics(Path),
    Facade(Path),
    /// An item of one of the packages in [`crate::manifest::OTHERS`].
    Other(&'static str, Path),
    Module(ModuleId),
    Type(ModuleId, String),
    /// A constant or a static: its value, the module it is in, and the number of blocks around it.
    Value(Value, ModuleId, usize),
    Variable(Known),
    Family,
    Macro(MacroRef),
    /// A macro of a block: the frame, and its number there.
    BlockMacro(usize, usize),
    /// Something else of the tree.
    Local,
    /// An item of a package that is not in the tree.
    Outside(Path),
}

/// What a path may stand for. If the answer is not certain, it may also be something else.
#[derive(Clone, Debug)]
pub struct Answer {
    pub targets: Vec<Target>,
    pub certain: bool,
}

impl Answer {
    pub(super) const NOTHING: Self = Self { targets: Vec::new(), certain: true };

    pub(super) fn one(target: Target) -> Self {
        Self { targets: vec![target], certain: true }
    }

    pub(super) fn add(&mut self, other: Self) {
        for target in other.targets {
            if !self.targets.contains(&target) {
                self.targets.push(target);
            }
        }
        self.certain &= other.certain;
    }
}
