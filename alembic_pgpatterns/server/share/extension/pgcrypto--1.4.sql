\echo Use "CREATE EXTENSION pgcrypto" to load this file. \quit

CREATE FUNCTION gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN pg_catalog.gen_random_uuid();

CREATE FUNCTION gen_random_bytes(count integer) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS $$
DECLARE
    bytes bytea := '';
BEGIN
    IF count NOT BETWEEN 1 AND 1024 THEN
        RAISE 'Length not in range' USING ERRCODE = 'external_routine_invocation_exception';
    END IF;
    WHILE octet_length(bytes) < count LOOP
        bytes := bytes || sha256(uuid_send(pg_catalog.gen_random_uuid()) || uuid_send(pg_catalog.gen_random_uuid()));
    END LOOP;
    RETURN substr(bytes, 1, count);
END
$$;

CREATE FUNCTION digest(data bytea, type text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE lower(type)
        WHEN 'md5' THEN RETURN decode(md5(data), 'hex');
        WHEN 'sha224' THEN RETURN sha224(data);
        WHEN 'sha256' THEN RETURN sha256(data);
        WHEN 'sha384' THEN RETURN sha384(data);
        WHEN 'sha512' THEN RETURN sha512(data);
        ELSE RAISE 'the stand-in for pgcrypto has no digest %', quote_literal(type)
            USING ERRCODE = 'feature_not_supported', HINT = 'Check on a server with the real pgcrypto: --server URL.';
    END CASE;
END
$$;

CREATE FUNCTION digest(data text, type text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE lower(type)
        WHEN 'md5' THEN RETURN decode(md5(convert_to(data, 'UTF8')), 'hex');
        WHEN 'sha224' THEN RETURN sha224(convert_to(data, 'UTF8'));
        WHEN 'sha256' THEN RETURN sha256(convert_to(data, 'UTF8'));
        WHEN 'sha384' THEN RETURN sha384(convert_to(data, 'UTF8'));
        WHEN 'sha512' THEN RETURN sha512(convert_to(data, 'UTF8'));
        ELSE RAISE 'the stand-in for pgcrypto has no digest %', quote_literal(type)
            USING ERRCODE = 'feature_not_supported', HINT = 'Check on a server with the real pgcrypto: --server URL.';
    END CASE;
END
$$;

-- What core PostgreSQL has no part of: the functions exist, so that a schema builds, and say so when they are called.
DO $$
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY ARRAY[
        'hmac(text, text, text) RETURNS bytea',
        'hmac(bytea, bytea, text) RETURNS bytea',
        'crypt(text, text) RETURNS text',
        'gen_salt(text) RETURNS text',
        'gen_salt(text, integer) RETURNS text',
        'encrypt(bytea, bytea, text) RETURNS bytea',
        'decrypt(bytea, bytea, text) RETURNS bytea',
        'encrypt_iv(bytea, bytea, bytea, text) RETURNS bytea',
        'decrypt_iv(bytea, bytea, bytea, text) RETURNS bytea',
        'pgp_sym_encrypt(text, text) RETURNS bytea',
        'pgp_sym_encrypt(text, text, text) RETURNS bytea',
        'pgp_sym_encrypt_bytea(bytea, text) RETURNS bytea',
        'pgp_sym_encrypt_bytea(bytea, text, text) RETURNS bytea',
        'pgp_sym_decrypt(bytea, text) RETURNS text',
        'pgp_sym_decrypt(bytea, text, text) RETURNS text',
        'pgp_sym_decrypt_bytea(bytea, text) RETURNS bytea',
        'pgp_sym_decrypt_bytea(bytea, text, text) RETURNS bytea',
        'pgp_pub_encrypt(text, bytea) RETURNS bytea',
        'pgp_pub_encrypt(text, bytea, text) RETURNS bytea',
        'pgp_pub_encrypt_bytea(bytea, bytea) RETURNS bytea',
        'pgp_pub_encrypt_bytea(bytea, bytea, text) RETURNS bytea',
        'pgp_pub_decrypt(bytea, bytea) RETURNS text',
        'pgp_pub_decrypt(bytea, bytea, text) RETURNS text',
        'pgp_pub_decrypt(bytea, bytea, text, text) RETURNS text',
        'pgp_pub_decrypt_bytea(bytea, bytea) RETURNS bytea',
        'pgp_pub_decrypt_bytea(bytea, bytea, text) RETURNS bytea',
        'pgp_pub_decrypt_bytea(bytea, bytea, text, text) RETURNS bytea',
        'pgp_key_id(bytea) RETURNS text',
        'armor(bytea) RETURNS text',
        'armor(bytea, text[], text[]) RETURNS text',
        'dearmor(text) RETURNS bytea'
    ] LOOP
        EXECUTE format(
            'CREATE FUNCTION %s LANGUAGE plpgsql %s STRICT PARALLEL SAFE AS %L',
            signature,
            CASE WHEN signature ~ '^(gen_salt|pgp_\w+_encrypt)' THEN 'VOLATILE' ELSE 'IMMUTABLE' END,
            format(
                'BEGIN RAISE %L USING ERRCODE = ''feature_not_supported'', HINT = %L; END',
                'the stand-in for pgcrypto has no ' || split_part(signature, '(', 1) || '()',
                'Check on a server with the real pgcrypto: --server URL.'
            )
        );
    END LOOP;
END
$$;
