//! Arguments of `report`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of a campaign, or its campaign.json [default: the one in fuzz/nightly/ that began last]
    #[arg(value_name = "CAMPAIGN")]
    pub campaign: Option<PathBuf>,
    /// Folder to write to [default: that of the campaign]
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Print the JSON Schema of report.json, which describes its fields, and write nothing.
    #[arg(long, conflicts_with_all = ["campaign", "to"])]
    pub schema: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
}
