//! Brings a tenant's AWS side to what its row asks for: the reconciler, its steps, the templates.
