//! What a backlog and its model must agree on.

use super::*;

impl<S: Subject> World<S> {
    /// What is there now is what the model has.
    pub(super) fn compare(&mut self) {
        let found = self.dump();
        self.poll();
        if self.backlog().refusal().is_none() && !self.has_failed {
            let live: BTreeSet<_> = self.versions.live().map(|(id, _)| id).collect();
            assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), live);
            assert!(found.values().all(|count| *count == 1));
            self.check_counts();
        }
    }

    pub(super) fn check_counts(&mut self) {
        let exact = self.exact_bytes;
        let counts = self.backlog().counts();
        let live = || self.versions.live().map(|(_, version)| version);
        let waiting = || live().filter(|version| version.waits());
        let bytes: usize = waiting().map(|version| version.delivery.record.len()).sum();
        let expected = Counts {
            pending: waiting().count() as u64,
            reserved: live().filter(|version| version.token.is_some()).count() as u64,
            parked: 0,
            dead: live().filter(|version| version.dead.is_some()).count() as u64,
            bytes: if exact || bytes == 0 { bytes as u64 } else { counts.bytes },
        };
        let told = Counts { pending: counts.pending + counts.parked, parked: 0, ..counts };
        assert_eq!(told, expected, "counts");
        self.check_lane_counts();
    }

    fn check_lane_counts(&self) {
        let told = self.backlog.as_ref().unwrap().lane_counts();
        for lane in 0..self.lanes.count() as Lane {
            let of_lane = || self.versions.0.iter().filter(|version| version.waits() && self.lane(version) == lane);
            let pending = of_lane().filter(|version| version.is_pending()).count() as u64;
            // What is due is pending once it was promoted.
            let in_line = of_lane().filter(|version| version.delivery.due.is_none()).count() as u64;
            let (known, more) =
                told.iter().find(|count| count.lane == lane).map_or((0, false), |count| (count.pending, count.more));
            assert!(known <= pending && (more || known >= in_line), "{known} of {in_line} to {pending} in lane {lane}: {more}");
        }
    }

    pub(super) fn check_letters(&mut self) {
        let live: Vec<_> = self.versions.live().filter(|(_, version)| version.dead.is_some()).map(|(id, _)| id).collect();
        let listed: Vec<_> = self.list_dead().iter().map(|(_, letter)| id_of(&letter.delivery)).collect();
        assert_eq!(listed, live, "the letters in their order");
    }

    /// In the end all is handled, in each line's order.
    pub fn drain(&mut self) {
        self.now.wall.0 += 3_600_000_000;
        self.now.mono.0 += 3_600_000_000;
        let reserved: Vec<_> = self.versions.live().filter_map(|(id, version)| version.token.map(|token| (token, id))).collect();
        for (token, id) in reserved {
            self.settle_by(token, id, true, false);
        }
        let mut last = vec![0; self.lanes.count()];
        loop {
            self.promote();
            self.poll();
            let line = self.versions.0.iter().filter(|version| version.waits()).count();
            let mut is_over = true;
            for (lane, last) in last.iter_mut().enumerate() {
                self.backlog().fetch_from(lane as Lane, 1 + line / 3);
                for reserved in self.poll() {
                    is_over = false;
                    let id = id_of(&reserved.delivery);
                    if self.subject.keeps_order() && reserved.delivery.due.is_none() {
                        let place = reserved.token & ((1 << 48) - 1);
                        assert!(place > *last, "out of order");
                        *last = place;
                    }
                    self.settle_by(reserved.token, id, true, false);
                }
            }
            if is_over {
                let waits = |(id, version): (usize, &Version)| version.waits().then_some((id, version.delivery.due));
                let waiting: Vec<_> = self.versions.0.iter().enumerate().filter_map(waits).collect();
                assert!(waiting.is_empty(), "they are never given out at {:?}, {:?}: {waiting:?}", self.now, self.has_failed);
                break;
            }
        }
        self.check_lane_counts();
        for (token, _) in self.list_dead() {
            let now = self.now;
            self.backlog().settle(&mut vec![(token, Settlement::Done)], now);
        }
        self.poll();
        assert_eq!(self.backlog().counts(), Counts::default(), "nothing is left");
    }
}
