//! The report for programs. Names end in their units; what is not known is null.

use serde_json::{Map, Value, json};

use super::{Pace, Report, Stop};

impl Report<'_> {
    pub(crate) fn json(&self) -> String {
        let (settings, tally, times) = (self.settings, self.tally, self.times());
        let rate = match settings.pace() {
            Pace::Closed => None,
            Pace::Open { rate } => Some(rate),
        };
        let (seconds, requests) = match settings.stop() {
            Stop::After(time) => (Some(time.as_secs_f64()), None),
            Stop::Requests(count) => (None, Some(count)),
        };
        let told = |nanos: u64| (!times.is_empty()).then_some(nanos);
        let known = |nanos: f64| (!times.is_empty()).then_some(nanos.round());
        let percentiles = self
            .percentiles()
            .map(|(share, nanos)| (share.to_string(), json!(nanos)));
        let classes = (1..=5).map(|class| {
            let of_class = tally.statuses().filter(|(status, _)| status / 100 == class);
            (
                format!("{class}xx"),
                of_class.map(|(_, count)| count).sum::<u64>().into(),
            )
        });
        let slow = self.slowness;
        let report = json!({
            "url": self.target.url,
            "settings": {
                "method": settings.method,
                "connections": settings.connections,
                "depth": settings.depth,
                "rate": rate,
                "duration_s": seconds,
                "requests": requests,
                "warm_up_s": settings.warm_up().as_secs_f64(),
                "timeout_s": settings.timeout.as_secs_f64(),
                "churn": settings.churn,
                "split_bytes": settings.split,
                "slow_readers": settings.slow_readers,
            },
            "measured_s": self.measured.as_secs_f64(),
            "requests_per_s": self.per_second(tally.answers),
            "received_bytes_per_s": self.per_second(tally.bytes),
            "answered": tally.answered_in_all(),
            "statuses": object(tally.statuses().map(|(status, count)| (status.to_string(), count.into()))),
            "status_classes": object(classes),
            "failed": tally.failed_in_all(),
            "faults": object(tally.faults().map(|(fault, failed)| {
                (fault.name().replace(' ', "_"), json!({"count": failed.count, "first": failed.first}))
            })),
            "unasked": tally.unasked,
            "connections_opened": tally.connections,
            "slow_readers": {"bytes": slow.bytes, "answers": slow.answers, "lost": slow.lost},
            "generator": self.busy.map(|busy| json!({"running": busy.running, "waiting": busy.waiting})),
            "time_ns": {
                "least": told(times.min()),
                "mean": known(times.mean()),
                "deviation": known(times.stdev()),
                "percentiles": object(percentiles),
                "most": told(times.max()),
            },
        });
        format!("{report:#}\n")
    }
}

fn object(members: impl Iterator<Item = (String, Value)>) -> Value {
    members.collect::<Map<_, _>>().into()
}
