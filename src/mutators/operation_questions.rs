//! What operations ask.

use super::Context;
use super::operation_calls::schema;
use super::operations::{column, small};
use crate::testcase::{Control, Question, StatementQuestion, TestCase};

pub(super) fn question(case: &TestCase, context: &mut Context<'_>) -> Question {
    match context.rng.u8(0..22) {
        0 => Question::Status { counter: context.rng.u8(0..10), resets: context.rng.bool() },
        1 => Question::Limit { limit: context.rng.u8(0..12) },
        2 => Question::TransactionState { schema: schema(case, context) },
        3 => Question::File { schema: schema(case, context) },
        4 | 5 => {
            let control = Control::ALL[context.rng.usize(0..Control::ALL.len())];
            Question::FileControl {
                schema: schema(case, context),
                control,
                value: small(context).saturating_sub(1),
            }
        }
        6 => {
            let (table, column) = column(case, context);
            let schema = context.rng.bool().then(|| schema(case, context));
            Question::Column { schema, table, column: context.chance(80).then_some(column) }
        }
        7 => Question::FlushCache,
        8 => Question::ReleaseMemory,
        9 => Question::Changes,
        10 => Question::SetLastRow { row: context.number(1, 8) as i64 },
        11 => Question::Error,
        12 => Question::ErrorText { code: context.number(1, 2) as u16 },
        13 => Question::Overload { name: "tandem_o".to_owned(), arguments: context.rng.u8(0..4) },
        14 => Question::Autocheckpoint { frames: context.rng.u8(..) },
        15 => Question::ExtendedCodes,
        16 => Question::NoExtensions,
        17 => Question::LockTimeout { milliseconds: context.rng.i16(-2..9) },
        18 => {
            let texts = [
                "SELECT 1;",
                "CREATE TRIGGER t BEGIN SELECT 1;",
                "EXPLAIN CREATE TEMP TRIGGER t END;",
                "-- ;",
            ];
            Question::Complete { text: texts[context.rng.usize(0..4)].to_owned() }
        }
        19 => Question::ClientData {
            name: "n".to_owned(),
            value: context.chance(70).then(|| context.rng.u8(1..)),
        },
        20 => Question::Statements,
        _ if context.rng.bool() => Question::SchemaName { index: context.rng.u8(0..4) },
        _ => Question::IsInterrupted,
    }
}

pub(super) fn statement_question(context: &mut Context<'_>) -> StatementQuestion {
    match context.rng.u8(0..7) {
        0 => StatementQuestion::Status { counter: context.rng.u8(0..9), resets: context.rng.bool() },
        1 => StatementQuestion::Text,
        2 => StatementQuestion::Flags,
        3 => StatementQuestion::Explain { mode: context.rng.u8(0..3) },
        4 => StatementQuestion::Columns,
        5 => StatementQuestion::Row,
        _ => StatementQuestion::Parameters,
    }
}
