//! Report: what a tenant's day was like, told once to whom it concerns.
