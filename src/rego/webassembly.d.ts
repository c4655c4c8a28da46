/**
 * WebAssembly as Node has it (https://webassembly.github.io/spec/js-api/). TypeScript declares it only together with
 * the browser's DOM, whose hundreds of globals do not exist here.
 */
declare namespace WebAssembly {
  type Imports = { readonly [module: string]: { readonly [name: string]: ImportValue } };
  type ImportValue = Memory | Global | Table | ((...args: never[]) => unknown);
  type ExportValue = Memory | Global | Table | ((...args: never[]) => unknown) | undefined;
  interface Exports {
    readonly [name: string]: ExportValue;
  }

  class Module {
    constructor(bytes: Uint8Array | ArrayBuffer);
    static exports(module: Module): { name: string; kind: 'function' | 'global' | 'memory' | 'table' }[];
    static imports(
      module: Module,
    ): { module: string; name: string; kind: 'function' | 'global' | 'memory' | 'table' }[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Global {
    constructor(
      descriptor: { value: 'i32' | 'i64' | 'f32' | 'f64'; mutable?: boolean },
      value?: number | bigint,
    );
    value: number | bigint;
  }
  class Table {
    readonly length: number;
  }
  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  interface WebAssemblyInstantiatedSource {
    instance: Instance;
    module: Module;
  }

  function compile(bytes: Uint8Array | ArrayBuffer): Promise<Module>;
  function validate(bytes: Uint8Array | ArrayBuffer): boolean;
}
