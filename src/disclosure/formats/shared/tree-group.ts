/** Computes the group key of a record that is held as a tree (`RecordPiece.group`). */
import { QuasiValues } from './quasi-values.ts';
import {
  DISCLOSE,
  DROP,
  type Matcher,
  NULLIFY,
  type Program,
  type Rendering,
  type StateId,
} from '../format.ts';
import {
  contentState,
  enter,
  enterRecord,
  isObject,
  membersOf,
  type TreeNode,
  type TreeRecord,
} from './tree.ts';

export function groupTree(root: TreeNode, record: TreeRecord, rendering: Rendering): string {
  const { matcher } = rendering;
  const values = new QuasiValues();
  const visit = (node: TreeNode, state: StateId, program: Program, place: string) => {
    const own = contentState(matcher, node, state);
    const field = matcher.field(own);
    const quasi = matcher.isQuasi(field);
    if (node.children === null && quasi) {
      const path = matcher.path(field);
      // a path with a selector means the same at any position of its list
      const where = path.includes('/[') && !path.includes('*') ? '' : place;
      values.add(path, where, leaving(node, own, program, matcher));
    }
    const embedded = matcher.scope(state);
    const scope = embedded < 0 ? undefined : record.begins.get(node);
    if (scope !== undefined) {
      const inside = rendering.program(scope, embedded);
      if (inside === null) return;
      for (const [child, at] of placed(node, place))
        visit(child, enter(matcher, matcher.entry(embedded), child), inside, at);
    } else if (embedded >= 0) {
      // a list of embedded resources
      for (const [child, at] of placed(node, place)) if (isObject(child)) visit(child, state, program, at);
    } else if (matcher.inner(state) || quasi)
      for (const [child, at] of placed(node, place)) visit(child, enter(matcher, state, child), program, at);
  };
  const program = rendering.program(0, 0);
  if (program !== null) visit(root, enterRecord(matcher, root), program, '');
  return values.toString();
}

/** The members of a node with their places: each is numbered among those of its name. */
function placed(node: TreeNode, place: string): [TreeNode, string][] {
  const met = new Map<string, number>();
  return membersOf(node).map((child) => {
    const name = child.index === undefined ? child.names[0]! : '';
    const nth = met.get(name) ?? 0;
    met.set(name, nth + 1);
    return [child, `${place}/${name} ${nth}`];
  });
}

function leaving(node: TreeNode, state: StateId, program: Program, matcher: Matcher): string {
  const action = program.action(matcher.field(state));
  if (action === DROP || action === NULLIFY) return '';
  const value = node.scalar();
  if (action === DISCLOSE) return `=${value.text}`;
  const treated = program.treat(state, value);
  return treated === 'drop' || treated.kind === 'null' ? '' : `=${treated.text}`;
}
