// What checking and converting an answer costs on top of JSON.parse.
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { compare, rowOf } from '../lib/contest.ts';
import { built } from '../lib/built.ts';
import { recorded } from '../lib/recording.ts';
import { type Bench, check, type Row } from '../lib/row.ts';
import { seeded, uuidOf } from '../lib/statistics.ts';

const DateFromText = new t.Type<Date, string, unknown>(
  'DateFromText',
  (value): value is Date => value instanceof Date,
  (value, context) => {
    if (typeof value !== 'string') return t.failure(value, context);
    const date = new Date(value);
    return Number.isNaN(date.getTime()) ? t.failure(value, context) : t.success(date);
  },
  (date) => date.toISOString(),
);

const Json = t.record(t.string, t.unknown);

/** What one would write for a row by the book: every field that the library reads, checked, dates as `Date`. */
const IoTsRow = t.type({
  metadata: t.type({ id: t.string, createdAt: DateFromText, updatedAt: DateFromText }),
  status: t.keyof({ QUEUED: null, RUNNING: null, COMPLETED: null, CANCELLED: null, FAILED: null }),
  displayName: t.string,
  taskExternalId: t.string,
  taskId: t.number,
  tenantId: t.string,
  workflowId: t.string,
  workflowRunExternalId: t.string,
  input: Json,
  output: Json,
  numSpawnedChildren: t.number,
  additionalMetadata: Json,
  createdAt: DateFromText,
  startedAt: DateFromText,
  finishedAt: DateFromText,
  taskInsertedAt: DateFromText,
  duration: t.number,
});
const IoTsPage = t.type({ pagination: Json, rows: t.array(IoTsRow) });

const IoTsDetails = t.type({
  run: t.type({
    metadata: t.type({ id: t.string, createdAt: DateFromText, updatedAt: DateFromText }),
    status: IoTsRow.props.status,
    displayName: t.string,
    tenantId: t.string,
    workflowId: t.string,
    input: Json,
    output: Json,
    additionalMetadata: Json,
    createdAt: DateFromText,
    startedAt: DateFromText,
    finishedAt: DateFromText,
    duration: t.number,
  }),
  shape: t.array(
    t.type({
      stepId: t.string,
      taskExternalId: t.string,
      taskName: t.string,
      childrenStepIds: t.array(t.string),
    }),
  ),
  tasks: t.array(IoTsRow),
  taskEvents: t.array(Json),
  workflowConfig: t.type({ Name: t.string, Tasks: t.array(t.type({ ReadableId: t.string, Retries: t.number })) }),
});

interface WireRow {
  readonly metadata: { readonly id: string; readonly createdAt: string };
}

/** A page of `count` rows: a recorded one, with ids and times of their own. */
function pageText(count: number): string {
  const { rows, pagination } = recorded('single-completed-list-row') as {
    readonly rows: readonly [WireRow];
    readonly pagination: object;
  };
  const random = seeded(4);
  const newest = Date.UTC(2026, 10, 23, 20);
  return JSON.stringify({
    pagination,
    rows: Array.from({ length: count }, (_, index) => {
      const createdAt = new Date(newest - index * 10).toISOString().replace('Z', '123Z');
      return { ...rows[0], metadata: { ...rows[0].metadata, id: uuidOf(random), createdAt } };
    }),
  });
}

/** What must come out of a row, whoever reads it. */
interface ReadRow {
  readonly metadata: { readonly id: string; readonly createdAt: Date };
  readonly startedAt?: Date;
}

function checkRows(who: string, rows: readonly ReadRow[], text: string): void {
  const wire = (JSON.parse(text) as { readonly rows: readonly WireRow[] }).rows;
  check(rows.length === wire.length, `${who} read ${rows.length} rows instead of ${wire.length}`);
  for (const [index, { metadata, startedAt }] of rows.entries()) {
    check(metadata.id === wire[index]?.metadata.id, `${who} read another id`);
    check(metadata.createdAt.getTime() === Date.parse(wire[index].metadata.createdAt), `${who} read another time`);
    check(startedAt instanceof Date, `${who} left a date as it was`);
  }
}

function rightOf<A>(result: E.Either<unknown, A>): A {
  check(E.isRight(result), 'the io-ts codec refuses the recording');
  return result.right;
}

const decode: Bench = async () => {
  const { readRunRows } = await built<typeof import('../../src/model/page.ts')>('model/page.js');
  const { readRunDetails } = await built<typeof import('../../src/model/run.ts')>('model/run.js');
  const rows: Row[] = [];

  const measure = async (
    what: string,
    text: string,
    repeats: number,
    read: Readonly<Record<'ours' | 'ioTs', () => unknown>>,
  ) => {
    // Kept, so that the work cannot be left out.
    let sink: unknown;
    const times = (work: () => unknown) => () => {
      for (let count = 0; count < repeats; count += 1) sink = work();
    };
    const parse = times(() => JSON.parse(text));
    const rounds = { rounds: 25, warmUps: 5 };
    const ours = times(read.ours);
    const row = `decode ${what} (${Math.round(text.length / 1_000)} kB), JSON.parse + our reader`;
    const overParse = await compare({ ours, peer: parse, ...rounds });
    rows.push(rowOf(overParse, { row, peer: '`JSON.parse` alone', operations: repeats }));
    const overIoTs = await compare({ ours, peer: times(read.ioTs), ...rounds });
    rows.push(rowOf(overIoTs, { row, peer: '`JSON.parse` + io-ts `t.type` of the same shape', operations: repeats }));
    check(sink !== undefined, 'nothing was read');
  };

  for (const [count, repeats] of [
    [200, 30],
    [500, 12],
  ] as const) {
    const text = pageText(count);
    const ours = () => readRunRows(JSON.parse(text));
    const ioTs = () => rightOf(IoTsPage.decode(JSON.parse(text)));
    checkRows('our reader', ours().rows, text);
    checkRows('io-ts', ioTs().rows, text);
    await measure(`a page of ${count} rows`, text, repeats, { ours, ioTs });
  }

  const text = JSON.stringify(recorded('single-completed-details'));
  const ours = () => readRunDetails(JSON.parse(text));
  const ioTs = () => rightOf(IoTsDetails.decode(JSON.parse(text)));
  for (const { run, tasks } of [ours(), ioTs()]) {
    check(run.createdAt instanceof Date && tasks[0]?.startedAt instanceof Date, 'a date was left as it was');
  }
  await measure('the details of a run', text, 2_000, { ours, ioTs });
  return rows;
};

export default decode;
