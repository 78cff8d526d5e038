/** Numbers of devices as st_dev and st_rdev hold them (linux/kdev_t.h, new_encode_dev). */

export function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

/** Major and minor number. */
export function deviceNumbers(device: number): readonly [major: number, minor: number] {
  const high = Math.floor(device / 0x1_0000_0000);
  const low = device >>> 0;
  return [((low >>> 8) & 0xfff) | (high & ~0xfff), (low & 0xff) | ((low >>> 12) & 0xf_ff00)];
}
