/// Whether a feature can work now. The texts are for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Good,
    /// It can, with less: still answers 200.
    Degraded(String),
    /// It cannot.
    Failed(String),
}
