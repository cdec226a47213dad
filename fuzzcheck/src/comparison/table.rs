//! What campaigns add up to, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use tandem::targets::group::Group;
use tandem::targets::stats::{Outcomes, Yield};

use super::campaign::Campaign;

/// A figure of each campaign.
struct Column {
    name: &'static str,
    title: &'static str,
    of: fn(&Campaign) -> f64,
    decimals: usize,
}

const fn column(
    name: &'static str,
    title: &'static str,
    decimals: usize,
    of: fn(&Campaign) -> f64,
) -> Column {
    Column { name, title, of, decimals }
}

/// The columns of the table between the group and the ratio.
const COUNTS: [Column; 5] = [
    column("executions", "executions", 0, |c| c.executions as f64),
    column("edges", "edges", 0, |c| c.stats.edges as f64),
    column("features", "features", 0, |c| c.stats.features as f64),
    column("branches", "branches of sqlite3.c", 0, |c| c.coverage.branches.covered as f64),
    column(NEW_BRANCHES, "new branches", 0, |c| c.new_branches as f64),
];

/// The columns behind the ratio. Shares of statements are of those in mutated cases.
const SHARES: [Column; 9] = [
    column("prepared_percent", "prepare", 1, |c| of_statements(c, |o| o.prepared)),
    column("parser_percent", "fail in parser", 1, |c| of_statements(c, |o| o.parser)),
    column("resolver_percent", "in resolver", 1, |c| of_statements(c, |o| o.resolver)),
    column("refused_percent", "refused", 1, |c| of_statements(c, |o| o.refused)),
    column("vm_percent", "fail in VM", 1, |c| of_statements(c, |o| o.vm)),
    column("ran_percent", "run", 1, |c| of_statements(c, |o| o.ran)),
    column("opened_percent", "databases open", 1, |c| {
        percent(c.stats.mutated.opened, c.stats.mutated.databases)
    }),
    column("mutation_percent", "CPU in mutation", 1, |c| percent(c.stats.mutation_ns, c.stats.cpu_ns)),
    column("crashes", "crashes", 0, |c| c.crashes as f64),
];

const NEW_BRANCHES: &str = "new_branches";

fn of_statements(campaign: &Campaign, count: fn(&Outcomes) -> u64) -> f64 {
    percent(count(&campaign.stats.mutated), campaign.stats.mutated.statements)
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// A figure over the repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let (min, max) = (*values.first()?, *values.last()?);
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

/// Prints the median, and from what to what where these differ.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(0);
        write!(f, "{:.decimals$}", self.median)?;
        if self.min < self.max {
            write!(f, " ({:.decimals$}-{:.decimals$})", self.min, self.max)?;
        }
        Ok(())
    }
}

/// A group over its repeats.
#[derive(Serialize)]
struct ArmSummary {
    group: String,
    /// By name of the figure.
    figures: BTreeMap<&'static str, Spread>,
    /// New branches against those of libFuzzer's own mutator, as medians.
    ratio: Option<f64>,
    /// By name of the operator, all repeats together.
    operators: BTreeMap<String, Yield>,
    campaigns: Vec<Campaign>,
}

/// The seeds.
#[derive(Debug, Serialize)]
pub(crate) struct Seeds {
    /// How many.
    pub cases: usize,
    /// Branches of sqlite3.c that they reach.
    pub branches: u64,
    /// All branches of sqlite3.c.
    pub branches_total: u64,
}

/// A comparison.
#[derive(Serialize)]
pub(crate) struct Comparison {
    version: u32,
    target: &'static str,
    seconds: f64,
    folder: String,
    seeds: Seeds,
    groups: Vec<ArmSummary>,
}

impl Comparison {
    /// Of the campaigns that were run, in the order of `groups`.
    pub(crate) fn new(
        target: &'static str,
        seconds: f64,
        folder: String,
        seeds: Seeds,
        groups: &[Group],
        campaigns: &[Campaign],
    ) -> Self {
        let mut groups: Vec<ArmSummary> =
            groups.iter().filter_map(|&group| ArmSummary::new(group, campaigns)).collect();
        let new_branches = |group: &ArmSummary| group.figures[NEW_BRANCHES].median;
        let of_libfuzzer =
            groups.iter().find(|group| group.group == Group::LibFuzzer.to_string()).map(new_branches);
        for group in &mut groups {
            group.ratio =
                of_libfuzzer.filter(|&branches| branches > 0.0).map(|base| new_branches(group) / base);
        }
        Self { version: 1, target, seconds, folder, seeds, groups }
    }

    /// Whether time was not CPU time in any of the campaigns.
    pub(crate) fn has_wall_time(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.campaigns).any(|campaign| campaign.is_wall_time)
    }

    /// Cases that ended a process, in all campaigns.
    pub(crate) fn crashes(&self) -> u64 {
        self.groups.iter().flat_map(|group| &group.campaigns).map(|campaign| campaign.crashes).sum()
    }

    /// Prints both tables.
    pub(crate) fn print(&self, out: &mut dyn Write) -> Result<()> {
        let columns = COUNTS.iter().map(|column| column.title);
        let columns = columns.chain(["times libfuzzer"]).chain(SHARES.iter().map(|column| column.title));
        let columns: Vec<&str> = columns.collect();
        writeln!(out, "| group | {} |", columns.join(" | "))?;
        writeln!(out, "|---|{}", "---:|".repeat(columns.len()))?;
        for group in &self.groups {
            let figures = |columns: &[Column]| -> Vec<String> {
                let figure = |column: &Column| format!("{:.*}", column.decimals, group.figures[column.name]);
                columns.iter().map(figure).collect()
            };
            let ratio = group.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let cells = [figures(&COUNTS), vec![ratio], figures(&SHARES)].concat();
            writeln!(out, "| {} | {} |", group.group, cells.join(" | "))?;
        }
        let Seeds { cases, branches, branches_total } = self.seeds;
        writeln!(
            out,
            "\n{}: {} CPU seconds for each campaign; {cases} seeds, which reach {branches} of {branches_total} \
             branches. Medians, from least to most in brackets; shares in percent: of the statements of mutated \
             cases, of their databases, of CPU time.",
            self.target, self.seconds
        )?;
        self.print_operators(out)
    }

    fn print_operators(&self, out: &mut dyn Write) -> Result<()> {
        let Some(group) = self.groups.iter().find(|group| group.group == Group::All.to_string()) else {
            return Ok(());
        };
        writeln!(out, "\n| operator | uses | new features | new edges | features per 1000 uses |")?;
        writeln!(out, "|---|---:|---:|---:|---:|")?;
        let rate = |operator: &Yield| 1000.0 * operator.features as f64 / operator.uses.max(1) as f64;
        let mut operators: Vec<(&String, &Yield)> = group.operators.iter().collect();
        operators.sort_by(|(_, a), (_, b)| rate(b).total_cmp(&rate(a)));
        for (name, operator) in operators {
            let Yield { uses, features, edges } = operator;
            writeln!(out, "| {name} | {uses} | {features} | {edges} | {:.0} |", rate(operator))?;
        }
        Ok(())
    }
}

impl ArmSummary {
    /// `None` if no campaign of the group was run.
    fn new(group: Group, campaigns: &[Campaign]) -> Option<Self> {
        let name = group.to_string();
        let own: Vec<Campaign> =
            campaigns.iter().filter(|campaign| campaign.group == name).cloned().collect();
        let mut figures = BTreeMap::new();
        for column in COUNTS.iter().chain(&SHARES) {
            figures.insert(column.name, Spread::of(own.iter().map(column.of).collect())?);
        }
        let mut operators: BTreeMap<String, Yield> = BTreeMap::new();
        for (operator, count) in own.iter().flat_map(|campaign| &campaign.stats.operators) {
            operators.entry(operator.clone()).or_default().add(count);
        }
        Some(Self { group: name, figures, ratio: None, operators, campaigns: own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(group: Group, repeat: u32, new_branches: u64) -> Campaign {
        Campaign { group: group.to_string(), repeat, new_branches, ..Campaign::default() }
    }

    #[test]
    fn a_ratio_is_of_medians_and_needs_something_to_divide_by() {
        let comparison = |base: u64| {
            let campaigns = [
                campaign(Group::LibFuzzer, 1, base),
                campaign(Group::All, 1, 10),
                campaign(Group::All, 2, 50),
                campaign(Group::All, 3, 30),
            ];
            let groups = [Group::LibFuzzer, Group::All, Group::Fixed];
            let seeds = Seeds { cases: 1, branches: 2, branches_total: 3 };
            Comparison::new("sql", 1.0, String::new(), seeds, &groups, &campaigns)
        };
        let groups = comparison(15).groups;
        assert_eq!(groups.len(), 2, "a group without campaigns has no row");
        assert_eq!(groups[1].figures[NEW_BRANCHES], Spread { median: 30.0, min: 10.0, max: 50.0 });
        assert_eq!((groups[0].ratio, groups[1].ratio), (Some(1.0), Some(2.0)));
        assert_eq!(comparison(0).groups[1].ratio, None);
    }

    #[test]
    fn a_spread_is_short_where_all_are_the_same() {
        assert_eq!(format!("{:.1}", Spread::of(vec![2.0, 1.0]).unwrap()), "1.5 (1.0-2.0)");
        assert_eq!(Spread::of(vec![7.0]).unwrap().to_string(), "7");
        assert_eq!(Spread::of(vec![]), None);
    }
}
