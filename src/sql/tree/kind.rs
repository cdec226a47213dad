//! The kinds of nodes.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The place of a node in the grammar. Nodes of the same kind can replace each other.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

kinds! {
    /// A statement of none of the kinds below.
    Statement,
    /// `INSERT` and `REPLACE`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `CREATE TABLE`.
    CreateTable,
    /// `CREATE INDEX`.
    CreateIndex,
    /// `CREATE VIEW`.
    CreateView,
    /// `CREATE TRIGGER`.
    CreateTrigger,
    /// `CREATE VIRTUAL TABLE`.
    CreateVirtual,
    /// `ALTER TABLE`.
    Alter,
    /// `PRAGMA`.
    Pragma,
    /// A complete `SELECT` or `VALUES`.
    Select,
    /// Its cores and the operators between them.
    Compound,
    /// `UNION` and the like.
    CompoundOperator,
    /// `SELECT … FROM … WHERE …` without `ORDER BY`.
    Core,
    /// `DISTINCT` or `ALL`; may be absent.
    Distinct,
    /// Result columns, a list.
    Columns,
    /// One of them.
    ResultColumn,
    /// `AS name`; may be absent.
    Alias,
    /// `FROM …` with its joins; may be absent.
    From,
    /// A table, subquery or call in `FROM`.
    TableRef,
    /// `LEFT JOIN` and the like.
    JoinOperator,
    /// `ON …` or `USING (…)`; may be absent.
    JoinOn,
    /// `WHERE …`; may be absent.
    Where,
    /// `GROUP BY …`; may be absent.
    Group,
    /// `HAVING …`; may be absent.
    Having,
    /// `WINDOW …`; may be absent.
    Windows,
    /// One window definition of it.
    WindowDefinition,
    /// `ORDER BY …`; may be absent.
    Order,
    /// Terms of an `ORDER BY` or an index, a list.
    Terms,
    /// One of them.
    Term,
    /// `LIMIT …`; may be absent.
    Limit,
    /// `WITH …`; may be absent.
    With,
    /// Its tables, a list.
    Ctes,
    /// A common table expression.
    Cte,
    /// An expression.
    Expr,
    /// Comma-separated expressions, a list.
    Exprs,
    /// Rows of `VALUES`, a list.
    Rows,
    /// One row, in parentheses.
    Row,
    /// A literal.
    Literal,
    /// A reference to a column.
    Column,
    /// The name of a function that is called.
    FunctionName,
    /// `FILTER (…)`; may be absent.
    Filter,
    /// `OVER …`; may be absent.
    Over,
    /// The contents of a window's parentheses.
    Window,
    /// `PARTITION BY …`; may be absent.
    Partition,
    /// `ROWS BETWEEN …`; may be absent.
    Frame,
    /// A binary operator.
    Operator,
    /// The name of a collation.
    Collation,
    /// A type.
    TypeName,
    /// The name of a table that is read.
    TableName,
    /// The name of a table that is written to or changed.
    Target,
    /// The name of an object that is created here.
    NewName,
    /// The name of a column that is created here.
    NewColumn,
    /// The name of a column where no expression is allowed.
    ColumnName,
    /// Comma-separated column names, a list.
    ColumnNames,
    /// The name of an index.
    IndexName,
    /// `INDEXED BY …`; may be absent.
    Indexed,
    /// Assignments of an `UPDATE`, a list.
    Sets,
    /// One of them.
    Set,
    /// `ON CONFLICT …` of an `INSERT`; may be absent.
    Upsert,
    /// `RETURNING …`; may be absent.
    Returning,
    /// `OR IGNORE` and the like; may be absent.
    Conflict,
    /// Columns and constraints of a table, a list.
    Definitions,
    /// One column.
    ColumnDefinition,
    /// A constraint of a column.
    ColumnConstraint,
    /// A constraint of a table.
    TableConstraint,
    /// `STRICT`, `WITHOUT ROWID`; may be absent.
    TableOptions,
    /// Statements of a trigger, a list.
    Commands,
    /// When a trigger fires.
    TriggerTime,
    /// The event on which it fires.
    TriggerEvent,
    /// `WHEN …`; may be absent.
    When,
    /// The name of a pragma.
    PragmaName,
    /// `= …` of a pragma; may be absent.
    PragmaValue,
    /// Arguments of a virtual table, a list; may be absent.
    ModuleArguments,
}

impl Kind {
    /// The separator that is printed between the parts of such a node.
    pub fn separator(self) -> &'static str {
        match self {
            _ if self.is_list() => ",",
            _ => "",
        }
    }

    /// True if the parts are items of the same kind that may be dropped, duplicated and moved.
    pub fn is_list(self) -> bool {
        use Kind::{ColumnNames, Columns, Ctes, Definitions, Exprs, ModuleArguments, Rows, Sets, Terms};
        matches!(
            self,
            Columns | Terms | Ctes | Exprs | Rows | ColumnNames | Sets | Definitions | ModuleArguments
        )
    }

    /// True for clauses that may be absent.
    pub fn is_optional(self) -> bool {
        use Kind::{
            Alias, Conflict, Distinct, Filter, Frame, From, Group, Having, Indexed, JoinOn, Limit, Order,
            Over, Partition, PragmaValue, Returning, TableOptions, Upsert, When, Where, Windows, With,
        };
        matches!(
            self,
            Alias
                | Conflict
                | Distinct
                | Filter
                | Frame
                | From
                | Group
                | Having
                | Indexed
                | JoinOn
                | Limit
                | Order
                | Over
                | Partition
                | PragmaValue
                | Returning
                | TableOptions
                | Upsert
                | When
                | Where
                | Windows
                | With
        )
    }

    /// True for whole statements.
    pub fn is_statement(self) -> bool {
        self <= Kind::Select
    }
}
