/** Handles of open files: the lowest free number each, so that they do not depend on what else the server has open. */

export class Handles<T> {
  private readonly values: (T | undefined)[] = [];

  add(value: T): number {
    let handle = 0;
    while (this.values[handle] !== undefined) handle++;
    this.values[handle] = value;
    return handle;
  }

  get(handle: number): T {
    const value = this.values[handle];
    if (value === undefined) throw new Error(`no handle ${handle}`);
    return value;
  }

  replace(handle: number, value: T): void {
    this.values[handle] = value;
  }

  remove(handle: number): T {
    const value = this.get(handle);
    this.values[handle] = undefined;
    return value;
  }
}
