/**
 * A WebAssembly module in the making: imports first, then functions, all with one shared memory imported as `env.memory`
 * (Core Specification, 5.5).
 */
import { ByteWriter } from './byte-writer.js';
import { TYPE_CODE, type WasmFunction, type WasmType } from './function-writer.js';

interface FunctionImport {
  readonly name: string;
  readonly type: number;
}

const SECTION = { TYPE: 1, IMPORT: 2, FUNCTION: 3, EXPORT: 7, CODE: 10 } as const;

export class ModuleWriter {
  private readonly types: string[] = [];
  private readonly typeBytes: ByteWriter[] = [];
  private readonly imports: FunctionImport[] = [];
  private readonly functions: { type: number; writer: WasmFunction; name?: string }[] = [];
  private readonly tables: string[] = [];

  /** `memoryPages`: size of the imported memory in 64 KiB pages; it never grows. */
  constructor(private readonly memoryPages: number) {}

  /** Index of a function type. */
  type(params: readonly WasmType[], results: readonly WasmType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new ByteWriter();
    bytes.u8(0x60);
    for (const list of [params, results]) {
      bytes.uleb(list.length);
      for (const type of list) bytes.u8(TYPE_CODE[type]);
    }
    this.typeBytes.push(bytes);
    return this.types.push(key) - 1;
  }

  /** Imports `env.NAME`; returns its function index. All imports come before the first function. */
  import(name: string, params: readonly WasmType[], results: readonly WasmType[]): number {
    if (this.functions.length > 0) throw new Error('imports come before functions');
    return this.imports.push({ name, type: this.type(params, results) }) - 1;
  }

  /** Imports the table of functions `env.NAME`; returns its index, for call_indirect. */
  importTable(name: string): number {
    return this.tables.push(name) - 1;
  }

  /** Adds a function, exported when it has a name; returns its function index. */
  function(writer: WasmFunction, name?: string): number {
    const type = this.type(writer.params, writer.results);
    this.functions.push(name === undefined ? { type, writer } : { type, writer, name });
    return this.imports.length + this.functions.length - 1;
  }

  encode(): Uint8Array {
    const out = new ByteWriter();
    out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    this.section(out, SECTION.TYPE, this.types.length, (body) => {
      for (const type of this.typeBytes) body.append(type);
    });
    this.section(out, SECTION.IMPORT, this.imports.length + this.tables.length + 1, (body) => this.encodeImports(body));
    this.section(out, SECTION.FUNCTION, this.functions.length, (body) => {
      for (const { type } of this.functions) body.uleb(type);
    });
    const exported = this.functions.flatMap((f, i) => (f.name === undefined ? [] : [{ name: f.name, index: i }]));
    this.section(out, SECTION.EXPORT, exported.length, (body) => {
      for (const { name, index } of exported) {
        body.name(name);
        body.u8(0x00);
        body.uleb(this.imports.length + index);
      }
    });
    this.section(out, SECTION.CODE, this.functions.length, (body) => {
      for (const { writer } of this.functions) writer.encode(body);
    });
    return out.view();
  }

  private encodeImports(body: ByteWriter): void {
    body.name('env');
    body.name('memory');
    body.raw([0x02, 0x01]);
    body.uleb(this.memoryPages);
    body.uleb(this.memoryPages);
    for (const name of this.tables) {
      body.name('env');
      body.name(name);
      body.raw([0x01, 0x70, 0x00, 0x00]);
    }
    for (const { name, type } of this.imports) {
      body.name('env');
      body.name(name);
      body.u8(0x00);
      body.uleb(type);
    }
  }

  private section(out: ByteWriter, id: number, count: number, write: (body: ByteWriter) => void): void {
    const body = new ByteWriter();
    body.uleb(count);
    write(body);
    out.u8(id);
    out.uleb(body.length);
    out.append(body);
  }
}
