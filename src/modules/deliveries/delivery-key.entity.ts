import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * Makes a delivery unique beyond its partition: by GUID, and by body for replays under a new GUID. Only verified
 * deliveries get one, so that nobody without the secret can block a GUID.
 */
@Entity('delivery_keys')
@Index('delivery_keys_body_key', ['webhook_id', 'body_time', 'body_sha256'], {
  unique: true,
  where: 'NOT replay',
})
@Index('delivery_keys_created_idx', { synchronize: false })
export class DeliveryKey {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'delivery_keys_pkey' })
  webhook_id: string;

  /** As `guidKey` has it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'delivery_keys_pkey' })
  guid: string;

  /** When what the body tells of was changed, by its own account: the same body has the same. */
  @Column('timestamptz', { default: () => "'-infinity'" })
  body_time: Date;

  @Column('bytea')
  body_sha256: Buffer;

  @Column('uuid')
  delivery_id: string;

  /** The same body came before under another GUID. */
  @Column('boolean', { default: false })
  replay: boolean;

  /** How often the same GUID came again. */
  @Column('int', { default: 0 })
  duplicates: number;

  @Column('timestamptz')
  created_at: Date;
}
