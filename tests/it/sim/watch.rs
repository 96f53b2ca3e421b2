//! What the server tells of its connections, checked as it is told.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use edgeloop::http::Head;
use edgeloop::reactor::Token;
use edgeloop::server::{CloseReason, Observer, Summary, Trouble};
use edgeloop::sys::Instant;
use edgeloop::sys::sim::World;

/// One connection, by the number of its client.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) accepted: Instant,
    pub(super) heads: u32,
    pub(super) answered: u32,
    pub(super) last_answer: Instant,
    pub(super) closed: Option<(CloseReason, Instant)>,
    /// Heads that were told in this turn.
    in_turn: usize,
}

/// An observer that keeps what it is told for the clients' checks.
#[derive(Clone)]
pub(super) struct Watch {
    world: World,
    told: Rc<RefCell<Known>>,
    /// Requests that a connection has answered in a turn at most: a few times its budget, because more than one thing
    /// can drive it.
    requests_max: usize,
}

/// All connections together.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) accepted: u64,
    pub(super) closed: u64,
    pub(super) heads: u64,
    pub(super) answered: u64,
}

#[derive(Default)]
struct Known {
    by_client: BTreeMap<u64, Told>,
    open: HashMap<Token, u64>,
    troubles: BTreeMap<String, u64>,
}

impl Watch {
    /// `budget` is that of a connection's requests in a turn, if it is to be checked.
    pub(super) fn new(world: &World, budget: Option<usize>) -> Watch {
        Watch {
            world: world.clone(),
            told: Rc::default(),
            requests_max: budget.map_or(usize::MAX, |budget| 4 * budget),
        }
    }

    pub(super) fn begin_turn(&self) {
        let known = &mut *self.told.borrow_mut();
        for client in known.open.values() {
            known.by_client.get_mut(client).expect("known").in_turn = 0;
        }
    }

    pub(super) fn of(&self, client: u64) -> Option<Told> {
        self.told.borrow().by_client.get(&client).cloned()
    }

    /// Why connections ended, and how many did.
    pub(super) fn reasons(&self) -> BTreeMap<String, u64> {
        let mut reasons = BTreeMap::new();
        for told in self.told.borrow().by_client.values() {
            let reason = match told.closed {
                Some((reason, _)) => format!("{reason:?}"),
                None => "open".to_owned(),
            };
            *reasons.entry(reason).or_default() += 1;
        }
        reasons
    }

    /// How much it was told of all connections together.
    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for told in self.told.borrow().by_client.values() {
            sums.accepted += 1;
            sums.closed += u64::from(told.closed.is_some());
            sums.heads += u64::from(told.heads);
            sums.answered += u64::from(told.answered);
        }
        sums
    }

    /// How often there was trouble of a kind.
    pub(super) fn troubles(&self, kind: &str) -> u64 {
        let known = self.told.borrow();
        known.troubles.get(kind).copied().unwrap_or(0)
    }

    /// Every connection that was accepted has come to an end.
    pub(super) fn check_all_ended(&self) {
        let known = self.told.borrow();
        assert!(
            known.open.is_empty(),
            "still open: clients {:?}",
            known.open.values()
        );
    }

    fn with(&self, connection: Token, what: impl FnOnce(&mut Told, u64)) {
        let known = &mut *self.told.borrow_mut();
        let client = known.open.get(&connection).copied();
        let client = client.expect("it was accepted and has not ended");
        what(known.by_client.get_mut(&client).expect("known"), client);
    }
}

impl Observer for Watch {
    fn accepted(&mut self, connection: Token) {
        let (client, now) = (self.world.last_accepted(), self.world.now());
        let told = Told {
            accepted: now,
            heads: 0,
            answered: 0,
            last_answer: now,
            closed: None,
            in_turn: 0,
        };
        let mut known = self.told.borrow_mut();
        assert!(known.by_client.insert(client, told).is_none(), "twice");
        assert!(known.open.insert(connection, client).is_none());
    }

    fn head(&mut self, connection: Token, head: &Head<'_>) {
        self.with(connection, |told, client| {
            self.world
                .note(|| format!("       client {client}: {} {}", head.method(), head.path()));
            assert_eq!(told.heads, told.answered, "one exchange at a time");
            told.heads += 1;
            told.in_turn += 1;
            assert!(told.in_turn <= self.requests_max, "one takes all the turn");
        });
    }

    fn answered(&mut self, connection: Token, summary: &Summary) {
        self.with(connection, |told, client| {
            self.world
                .note(|| format!("       client {client}: answered {}", summary.status));
            told.answered += 1;
            told.last_answer = self.world.now();
            // A refusal without a head, or of the head that was told.
            let refused = summary.reject.is_some();
            assert!(told.answered == told.heads || refused && told.answered == told.heads + 1);
        });
    }

    fn closed(&mut self, connection: Token, reason: CloseReason) {
        let now = self.world.now();
        self.with(connection, |told, client| {
            self.world
                .note(|| format!("       client {client}: closed, {reason:?}"));
            told.closed = Some((reason, now));
        });
        self.told.borrow_mut().open.remove(&connection);
    }

    fn trouble(&mut self, trouble: &Trouble) {
        let kind = format!("{trouble:?}");
        let kind = kind.split('(').next().unwrap_or_default().to_owned();
        self.world.note(|| format!("       trouble: {trouble}"));
        let mut known = self.told.borrow_mut();
        *known.troubles.entry(kind).or_default() += 1;
    }
}
