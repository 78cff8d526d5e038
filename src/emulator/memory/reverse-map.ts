/** Which pages of which address spaces lie in a frame: one list a frame, all nodes in common arrays. */

/** A page that lies in a frame. `page`: address / 4096. */
export interface Mapping {
  readonly space: number;
  readonly page: number;
}

const NONE = 0;

export class ReverseMap {
  /** First node of each frame's list, by frame number. Node 0 is the end of every list. */
  private readonly first: Int32Array;
  private space = new Int32Array(1024);
  private page = new Float64Array(1024);
  private next = new Int32Array(1024);
  private used = 1;
  private unused = NONE;

  constructor(frames: number) {
    this.first = new Int32Array(frames);
  }

  add(frame: number, space: number, page: number): void {
    const node = this.newNode();
    this.space[node] = space;
    this.page[node] = page;
    this.next[node] = this.first[frame];
    this.first[frame] = node;
  }

  remove(frame: number, space: number, page: number): void {
    let before = NONE;
    for (let node = this.first[frame]; node !== NONE; node = this.next[node]) {
      if (this.space[node] === space && this.page[node] === page) {
        if (before === NONE) this.first[frame] = this.next[node];
        else this.next[before] = this.next[node];
        this.next[node] = this.unused;
        this.unused = node;
        return;
      }
      before = node;
    }
    throw new Error(`page ${page} of space ${space} is not in frame ${frame}`);
  }

  /** A snapshot, last mapped first. */
  mappingsOf(frame: number): Mapping[] {
    const mappings: Mapping[] = [];
    for (let node = this.first[frame]; node !== NONE; node = this.next[node]) {
      mappings.push({ space: this.space[node], page: this.page[node] });
    }
    return mappings;
  }

  private newNode(): number {
    const node = this.unused;
    if (node !== NONE) {
      this.unused = this.next[node];
      return node;
    }
    if (this.used === this.space.length) this.grow();
    return this.used++;
  }

  private grow(): void {
    const size = this.space.length * 2;
    this.space = widened(this.space, new Int32Array(size));
    this.page = widened(this.page, new Float64Array(size));
    this.next = widened(this.next, new Int32Array(size));
  }
}

function widened<Words extends Int32Array | Float64Array>(from: Words, to: Words): Words {
  to.set(from);
  return to;
}
