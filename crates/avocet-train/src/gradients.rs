//! Gradients by name, added up over passes, micro-batches and ranks.

use std::collections::BTreeMap;

use avocet_kernels::{add_into, square_sum};
use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::error::Result;
use crate::params::Param;

/// Gradients of one step: one tensor for each parameter that took part.
#[derive(Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// What a backward pass left for `params`.
    pub fn of(params: &[Param], store: &mut GradStore) -> Result<Self> {
        let mut gradients = BTreeMap::new();
        for param in params {
            if let Some(gradient) = store.remove(&param.var) {
                gradients.insert(param.name.clone(), gradient.contiguous()?);
            }
        }
        Ok(Self(gradients))
    }

    /// Adds another pass's gradients to these, which are written over.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for (name, gradient) in other.0 {
            let sum = match self.0.remove(&name) {
                Some(sum) => add_into(sum, &gradient)?,
                None => gradient,
            };
            self.0.insert(name, sum);
        }
        Ok(())
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.0.iter()
    }

    /// The gradient of a parameter, if it took part.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Root of the sum of the squares of all of them, in the order of the names.
    pub fn norm(&self) -> Result<f64> {
        let mut total = 0.0;
        for gradient in self.0.values() {
            total += square_sum(gradient)?;
        }
        Ok(total.sqrt())
    }
}

impl FromIterator<(String, Tensor)> for Gradients {
    fn from_iter<T: IntoIterator<Item = (String, Tensor)>>(gradients: T) -> Self {
        Self(gradients.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Params, Selection};
    use avocet_kernels::{HOST, Placement};
    use avocet_model::{Init, Role};
    use std::collections::HashMap;

    #[test]
    fn micro_batches_add_up() -> Result<()> {
        let params = Params::new(0, Selection::all(), HashMap::new(), &Placement::default());
        let start = Init::Constant(1.0);
        let var = params.builder().tensor(2, "a", Role::Bias, start)?;
        let trained = params.trained();
        let mut gradients = Gradients::of(&trained, &mut var.sum_all()?.backward()?)?;
        let squares = var.sqr()?.sum_all()?;
        gradients.add(Gradients::of(&trained, &mut squares.backward()?)?)?;
        let sum = gradients.get("a").expect("took part").to_vec1::<f32>()?;
        assert_eq!(sum, [3.0, 3.0]);
        Ok(())
    }

    #[test]
    fn the_norm_is_that_of_all_gradients_together() -> Result<()> {
        let of = |value: f32| Tensor::new(&[value], &HOST);
        let both = [("a".to_owned(), of(3.0)?), ("b".to_owned(), of(4.0)?)];
        let norm = Gradients::from_iter(both).norm()?;
        assert!((norm - 5.0).abs() < 1e-12, "{norm}");
        Ok(())
    }
}
