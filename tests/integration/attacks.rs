//! The attack catalogue against a tenant that is really provisioned: one test a row.

use crate::installation;
use attacks::report::{Verdict, run_row, select};
use attacks::rows::Run;

/// Runs one row; whatever else becomes of it, it must not get through.
fn row(id: &str) {
    installation::run(|installation| async move {
        let tenant = installation.attacked().await;
        let rows = select(&[id.to_owned()]).expect("a row of the catalogue");
        let line = run_row(&tenant.bench, rows[0]).await;
        match line.verdict {
            // Not built is a part of the row, never the whole: those have no test. What exists was refused.
            Verdict::Refused | Verdict::NotBuilt => {}
            Verdict::GotThrough | Verdict::Failed | Verdict::Skipped => {
                panic!("{id} {}: {}", line.verdict.word(), line.reason)
            }
        }
    });
}

macro_rules! rows {
    ($($name:ident $id:literal,)*) => {
        $(#[test] fn $name() { row($id); })*

        #[test]
        fn every_row_that_exists_has_a_test() {
            let tested = [$($id),*];
            for row in attacks::rows::CATALOGUE {
                let exists = matches!(row.run, Run::Attack { .. });
                assert_eq!(tested.contains(&row.id), exists, "{}", row.id);
            }
        }
    };
}

rows! {
    a01 "A01",
    a02 "A02",
    a03 "A03",
    a04 "A04",
    a05 "A05",
    a06 "A06",
    a07 "A07",
    a08 "A08",
    a09 "A09",
    a10 "A10",
    a11 "A11",
    a12 "A12",
    a13 "A13",
    a14 "A14",
    a15 "A15",
    a16 "A16",
    a17 "A17",
    a18 "A18",
    a19 "A19",
    a20 "A20",
    a21 "A21",
    a22 "A22",
    a23 "A23",
    a24 "A24",
    a25 "A25",
    a26 "A26",
    a27 "A27",
    a28 "A28",
    a29 "A29",
    a30 "A30",
    a31 "A31",
    a32 "A32",
    a33 "A33",
}
