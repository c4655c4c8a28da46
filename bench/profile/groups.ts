/**
 * Groups the samples of a profile, by layer and by stage. The layer is that of the code that runs: a built-in counts for its caller. The
 * stage is the folder of `src/` that was called last: what undici does for `upstream/` is part of that stage.
 */
import type { CpuProfile, Frame, HeapNode } from './measured.ts';

export interface Sample {
  readonly layer: string;
  readonly stage: string;
  /** name and place of the innermost function that is in a file */
  readonly code: string;
}

const HTTP = /^node:(_http_|_tls_|net$|http$|https$|tls$|stream|internal\/(http|net|stream|js_stream|tls))/;

const layerOf = (url: string): string | null => {
  if (url.startsWith('wasm:')) return 'WebAssembly';
  if (url === 'node:internal/deps/undici/undici' || url.includes('/node_modules/undici/')) return 'undici';
  if (HTTP.test(url)) return 'node:http, sockets, streams';
  if (url.startsWith('node:')) return 'Node, other';
  if (url.includes('/bench/proxy/')) return 'pass-through';
  const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (name !== undefined) return `package ${name}`;
  return stageOf(url) === null ? null : 'Sluice';
};

const stageOf = (url: string): string | null => /\/(?:src|dist)\/([a-z-]+)\//.exec(url)?.[1] ?? null;

const spelled = ({ functionName, url, lineNumber }: Frame): string =>
  `${functionName || '(anonymous)'} ${url.replace(/^.*\/(?=node_modules\/|src\/|dist\/|bench\/)/, '')}:${lineNumber + 1}`;

/** @param stack from the innermost frame outwards */
export function groupOf(stack: readonly Frame[]): Sample | 'idle' {
  const leaf = stack[0]!.functionName;
  if (leaf === '(idle)') return 'idle';
  let [layer, stage, code]: (string | null)[] = [null, null, null];
  if (stack.some(({ url }) => url.endsWith('/bench/profile/probe.ts'))) layer = 'probe';
  if (leaf === '(garbage collector)') layer = code = 'garbage collection, main thread';
  if (leaf === '(program)') layer = code = 'V8 and Node, native';
  for (const frame of stack) {
    stage ??= stageOf(frame.url);
    const own = layerOf(frame.url);
    if (own === null) continue;
    layer ??= own;
    code ??= spelled(frame);
  }
  return { layer: layer ?? 'V8 and Node, native', stage: stage ?? 'outside Sluice', code: code ?? leaf };
}

/** Calls `each` for every sample, with its moment and the time until the next. */
export function samplesOf(
  { nodes, samples, timeDeltas, startTime }: CpuProfile,
  each: (sample: Sample | 'idle', at: number, micros: number) => void,
): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const groups = new Map<number, Sample | 'idle'>();
  for (const { id } of nodes) {
    const stack: Frame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at))
      stack.push(byId.get(at)!.callFrame);
    groups.set(id, groupOf(stack));
  }
  let at = startTime;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i] ?? 0;
    each(groups.get(id)!, at, Math.max(0, timeDeltas[i + 1] ?? 0));
  }
}

/** Calls `each` for every node of a heap profile that has allocated. */
export function allocationsOf(head: HeapNode, each: (sample: Sample, bytes: number) => void): void {
  const visit = (node: HeapNode, outer: readonly Frame[]): void => {
    const stack = [node.callFrame, ...outer];
    const group = groupOf(stack);
    if (node.selfSize > 0 && group !== 'idle') each(group, node.selfSize);
    for (const child of node.children) visit(child, stack);
  };
  visit(head, []);
}
