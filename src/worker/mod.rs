//! What runs by itself: the loop that claims tenants, and the jobs.
