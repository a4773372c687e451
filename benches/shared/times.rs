//! Times that were measured.

/// In seconds.
#[derive(Clone, Default)]
pub struct Times(Vec<f64>);

impl Times {
    #[allow(dead_code)] // Each bench uses a part.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The time that one in a hundred exceeds.
    pub fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut times = self.0.clone();
        times.sort_by(f64::total_cmp);
        times[((times.len() - 1) as f64 * share).round() as usize]
    }
}

impl Extend<f64> for Times {
    fn extend<T: IntoIterator<Item = f64>>(&mut self, times: T) {
        self.0.extend(times);
    }
}
