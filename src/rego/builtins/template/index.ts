/** `strings.render_template`: Go's text/template over the given values. */
import type { RegoObject } from '../../values.ts';
import { fail, object, string, tooLarge } from '../operands.ts';
import { spell } from '../text/rego-source.ts';
import type { Family } from '../types.ts';
import { FUNCTIONS } from './functions.ts';
import { type Node, type Operand, type Pipe, parseTemplate, type Template } from './parse.ts';
import { checkData, inOrder, isTrue, NONE, print, type Value, valueFrom } from './values.ts';

/** limit for templates that call templates */
const MAX_DEPTH = 500;
const MAX_LENGTH = 8 * 1024 * 1024;
const MAX_STEPS = 500_000;

/** how a list of nodes was left early */
type Leaving = 'break' | 'continue' | undefined;

class Run {
  readonly #template: Template;
  #out = '';
  #steps = 0;
  constructor(template: Template) {
    this.#template = template;
  }

  execute(data: Value): string {
    this.#nodes(this.#template.body, data, new Map([['$', data]]), 0);
    return this.#out;
  }

  #write(text: string): void {
    this.#out += text;
    if (this.#out.length > MAX_LENGTH)
      tooLarge(`strings.render_template wrote more than ${MAX_LENGTH} characters`);
  }

  #step(): void {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) tooLarge(`strings.render_template went more than ${MAX_STEPS} steps`);
  }

  #nodes(nodes: readonly Node[], dot: Value, scope: Map<string, Value>, depth: number): Leaving {
    for (const node of nodes) {
      this.#step();
      const leaving = this.#node(node, dot, scope, depth);
      if (leaving !== undefined) return leaving;
    }
    return undefined;
  }

  #node(node: Node, dot: Value, scope: Map<string, Value>, depth: number): Leaving {
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      case 'action': {
        const value = this.#pipe(node.pipe, dot, scope);
        if (node.pipe.variables.length === 0) this.#write(print(value));
        return undefined;
      }
      case 'template': {
        const body = this.#template.named.get(node.name) ?? fail('no template of that name');
        if (depth > MAX_DEPTH) fail('templates call each other endlessly');
        const value = node.pipe === undefined ? NONE : this.#pipe(node.pipe, dot, scope);
        this.#nodes(body, value, new Map([['$', value]]), depth + 1);
        return undefined;
      }
      case 'range':
        return this.#range(node.pipe, node.body, node.otherwise, dot, new Scope(scope), depth);
      default: {
        const inner = new Scope(scope);
        const value = this.#pipe(node.pipe, dot, inner);
        if (!isTrue(value)) return this.#nodes(node.otherwise, dot, inner, depth);
        return this.#nodes(node.body, node.kind === 'with' ? value : dot, inner, depth);
      }
    }
  }

  #range(
    pipe: Pipe,
    body: readonly Node[],
    otherwise: readonly Node[],
    dot: Value,
    scope: Scope,
    depth: number,
  ): Leaving {
    const over = this.#commands(pipe, dot, scope);
    const rounds = roundsOf(over);
    if (rounds.length === 0) return this.#nodes(otherwise, dot, scope, depth);
    for (const [key, value] of rounds) {
      this.#step();
      const inner = new Scope(scope);
      const [first, second] = pipe.variables;
      const set = (name: string, v: Value): void => {
        if (pipe.declares) inner.declare(name, v);
        else inner.set(name, v);
      };
      if (first !== undefined) set(first, second === undefined ? value : key);
      if (second !== undefined) set(second, value);
      if (this.#nodes(body, value, inner, depth) === 'break') break;
    }
    return undefined;
  }

  #pipe(pipe: Pipe, dot: Value, scope: Map<string, Value>): Value {
    const value = this.#commands(pipe, dot, scope);
    for (const name of pipe.variables) {
      if (pipe.declares && scope instanceof Scope) scope.declare(name, value);
      else scope.set(name, value);
    }
    return value;
  }

  #commands(pipe: Pipe, dot: Value, scope: Map<string, Value>): Value {
    let last: Value | undefined;
    for (const [first, ...args] of pipe.commands) {
      if (first === undefined) continue;
      if (first.kind === 'function') last = this.#call(first.name, args, last, dot, scope);
      else {
        if (args.length > 0 || last !== undefined) return fail('only a function takes arguments');
        if (first.kind === 'nil') return fail('nil is not a command');
        last = this.#operand(first, dot, scope);
      }
    }
    return last ?? NONE;
  }

  #call(
    name: string,
    args: readonly Operand[],
    last: Value | undefined,
    dot: Value,
    scope: Map<string, Value>,
  ): Value {
    const f = FUNCTIONS.get(name) ?? fail('unknown function');
    const values: Value[] = [];
    for (const arg of args) {
      const v = this.#operand(arg, dot, scope);
      values.push(v);
      // Both stop at the first argument that decides.
      if ((name === 'and' && !isTrue(v)) || (name === 'or' && isTrue(v))) return v;
    }
    return f(last === undefined ? values : [...values, last]);
  }

  #operand(o: Operand, dot: Value, scope: Map<string, Value>): Value {
    switch (o.kind) {
      case 'dot':
        return dot;
      case 'field':
        return walk(dot, o.path);
      case 'variable':
        return walk(scope.get(o.name) ?? fail('undeclared variable'), o.path);
      case 'pipe':
        return walk(this.#pipe(o.pipe, dot, scope), o.path);
      case 'function':
        return this.#call(o.name, [], undefined, dot, scope);
      case 'nil':
        return { kind: 'nil' };
      default:
        return o;
    }
  }
}

/** The variables of a block. They hide those of outer blocks; an assignment changes the variable where it was declared. */
class Scope extends Map<string, Value> {
  readonly #outer: Map<string, Value>;
  constructor(outer: Map<string, Value>) {
    super();
    this.#outer = outer;
  }

  override get(name: string): Value | undefined {
    return super.get(name) ?? this.#outer.get(name);
  }

  declare(name: string, v: Value): void {
    super.set(name, v);
  }

  override set(name: string, v: Value): this {
    if (this.#outer === undefined || super.has(name)) return super.set(name, v);
    this.#outer.set(name, v);
    return this;
  }
}

const walk = (v: Value, path: readonly string[]): Value =>
  path.reduce((at, name) => {
    if (at.kind === 'none') return NONE;
    return at.kind === 'map'
      ? valueFrom((at.value as RegoObject).get(name))
      : fail('the value has no fields');
  }, v);

const roundsOf = (v: Value): readonly (readonly [Value, Value])[] => {
  switch (v.kind) {
    case 'none':
    case 'nil':
      return [];
    case 'list':
      return v.value.map((item, i) => [{ kind: 'int', value: BigInt(i) }, valueFrom(item)] as const);
    case 'map':
      return inOrder(v.value).map(
        ([key, item]) => [{ kind: 'string', value: key }, valueFrom(item)] as const,
      );
    case 'int': {
      if (v.value > BigInt(MAX_STEPS))
        return tooLarge(`strings.render_template was asked for ${v.value} rounds`);
      return Array.from({ length: Math.max(0, Number(v.value)) }, (_, i) => {
        const n: Value = { kind: 'int', value: BigInt(i) };
        return [n, n] as const;
      });
    }
    default:
      return fail('the value cannot be ranged over');
  }
};

const render = (source: string, data: RegoObject): string => {
  const template = parseTemplate(source);
  // OPA passes the values as JSON text in which some control characters are escaped as in Go, which is not valid JSON.
  if (/(?:^|[^\\])(?:\\\\)*\\[avxU]/.test(spell(data))) fail('a value is not valid JSON');
  checkData(data);
  return new Run(template).execute(valueFrom(data));
};

export const template: Family = {
  'strings.render_template': ([source, values]) => render(string(source), object(values)),
};
