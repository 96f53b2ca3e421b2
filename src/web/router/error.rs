//! What is wrong with routes: found when they are built, never while they serve.

use core::fmt;
use core::panic::Location;

/// Routes that can't be built, with all that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteErrors(pub(super) Vec<RouteError>);

/// One thing that is wrong with routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// A pattern that is none.
    Malformed {
        /// The pattern, or the prefix of a group, as it was registered.
        pattern: String,
        /// Where in the program it was registered.
        place: &'static Location<'static>,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two patterns match the same request, and neither is more specific.
    Conflict {
        /// The pattern that was registered last.
        pattern: String,
        /// Where in the program it was registered.
        place: &'static Location<'static>,
        /// The other one.
        other: String,
        /// Where in the program that was registered.
        other_place: &'static Location<'static>,
        /// A request that both match.
        example: String,
    },
}

impl RouteErrors {
    /// What is wrong, in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &RouteError> {
        self.0.iter()
    }
}

/// One line for each.
impl fmt::Display for RouteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteError::Malformed {
                pattern,
                place,
                why,
            } => write!(f, "route {pattern:?} ({place}): {why}"),
            RouteError::Conflict {
                pattern,
                place,
                other,
                other_place,
                example,
            } => write!(
                f,
                "route {pattern:?} ({place}) conflicts with {other:?} ({other_place}): both match \
                 {example:?}, and neither is more specific"
            ),
        }
    }
}

impl core::error::Error for RouteErrors {}
impl core::error::Error for RouteError {}
