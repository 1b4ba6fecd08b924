//! Secrets in the control table (`T#<tenant>` / `SECRET`), each sealed with a data key of its own. KMS hands out that key,
//! and opens it again for the tenant and the stage that it was made for only.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_sdk_kms::{Client, error::ProvideErrorMetadata, primitives::Blob, types::DataKeySpec};
use base64::{Engine, engine::general_purpose::STANDARD};
use directory::TenantId;
use engine::{
    keys,
    ports::{Change, Fault, Item, Key, NotCommitted, Store, Table, Write},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde_json::{Map, Value};

use crate::{Tables, fault::fault};

/// The sealed secrets of one stage.
pub struct SealedSecrets {
    client: Client,
    tables: Tables,
    key: String,
    stage: String,
}

impl fmt::Debug for SealedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecrets({})", self.key)
    }
}

impl SealedSecrets {
    /// The secrets of `stage` in the control table, sealed with the KMS key `key`.
    pub fn new(client: Client, tables: Tables, key: impl Into<String>, stage: impl Into<String>) -> Self {
        Self { client, tables, key: key.into(), stage: stage.into() }
    }

    pub(crate) async fn read(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        let Some(item) = self.item(tenant).await? else { return Ok(None) };
        let sealed = Sealed::of(&item).ok_or_else(|| unopened(tenant))?;
        let context = self.context(tenant);
        let call = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(sealed.key.clone()));
        let call = call.set_encryption_context(Some(context.clone().into_iter().collect()));
        let output = call.send().await.map_err(|err| match err.code() {
            Some("InvalidCiphertextException" | "IncorrectKeyException") => unopened(tenant),
            _ => fault(format!("cannot open the sealed secret of {tenant}"), &err),
        })?;
        let key = plain(output.plaintext)?;
        sealed.open(&key, &context).map(Some).ok_or_else(|| unopened(tenant))
    }

    pub(crate) async fn holds(&self, tenant: &TenantId) -> Result<bool, Fault> {
        Ok(self.item(tenant).await?.is_some())
    }

    pub(crate) async fn write(&self, tenant: &TenantId, body: &SecretString) -> Result<(), Fault> {
        let what = format!("cannot seal the secret of {tenant}");
        let context = self.context(tenant);
        let call = self.client.generate_data_key().key_id(&self.key).key_spec(DataKeySpec::Aes256);
        let call = call.set_encryption_context(Some(context.clone().into_iter().collect()));
        let output = call.send().await.map_err(|err| fault(&what, &err))?;
        let key = plain(output.plaintext)?;
        let sealed_key = output.ciphertext_blob.ok_or_else(|| Fault::passing(&what).because("KMS sent no key"))?;
        let sealed = Sealed::seal(sealed_key.into_inner(), &key, &context, body).ok_or(Fault::permanent(&what))?;
        self.change(tenant, Change::Put(sealed.item())).await
    }

    pub(crate) async fn delete(&self, tenant: &TenantId) -> Result<(), Fault> {
        self.change(tenant, Change::Delete).await
    }

    async fn item(&self, tenant: &TenantId) -> Result<Option<Item>, Fault> {
        Ok(self.tables.get(&[key(tenant)]).await?.pop().flatten())
    }

    async fn change(&self, tenant: &TenantId, change: Change) -> Result<(), Fault> {
        let write = Write { key: key(tenant), change, only_if: vec![] };
        self.tables.commit(vec![write]).await.map_err(|err| match err {
            NotCommitted::Fault(fault) => fault,
            NotCommitted::Refused(_) => Fault::passing(format!("the secret of {tenant} was not written")),
        })
    }

    /// Who it is sealed for. It stands in CloudTrail in plain text.
    fn context(&self, tenant: &TenantId) -> Context {
        let pair = |name: &str, value: &str| (format!("entra-sync:{name}"), value.to_owned());
        Context::from([pair("stage", &self.stage), pair("tenant", tenant.as_str())])
    }
}

fn key(tenant: &TenantId) -> Key {
    Key { table: Table::Control, pk: keys::tenant_pk(tenant), sk: "SECRET".to_owned() }
}

fn unopened(tenant: &TenantId) -> Fault {
    Fault::permanent(format!(
        "the sealed secret of {tenant} does not open: it was sealed for another tenant or stage, or changed since; save it again"
    ))
}

/// A data key as KMS sends it, overwritten with zeros when it is dropped.
fn plain(key: Option<Blob>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let key = key.ok_or_else(|| Fault::passing("KMS sent no data key"))?;
    Ok(Zeroizing::new(key.into_inner()))
}

type Context = BTreeMap<String, String>;

/// The context in bytes that no other context has: JSON, in the order of its names.
fn bound_to(context: &Context) -> Aad<Vec<u8>> {
    let fields: Map<String, Value> =
        context.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    Aad::from(Value::Object(fields).to_string().into_bytes())
}

/// What is stored.
struct Sealed {
    /// The data key, encrypted by KMS.
    key: Vec<u8>,
    nonce: Vec<u8>,
    /// The secret, encrypted with the data key, and the tag that shows every change of it.
    sealed: Vec<u8>,
}

impl Sealed {
    fn seal(key: Vec<u8>, plain: &[u8], context: &Context, body: &SecretString) -> Option<Self> {
        // Room for the tag, so that no copy of the secret stays behind where the bytes were.
        let body = body.expose_secret().as_bytes();
        let mut sealed = Vec::with_capacity(body.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(body);
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, plain).ok()?;
        let nonce = cipher.seal_in_place_append_tag(bound_to(context), &mut sealed).ok()?;
        Some(Self { key, nonce: nonce.as_ref().to_vec(), sealed })
    }

    fn open(&self, plain: &[u8], context: &Context) -> Option<SecretString> {
        let mut body = Zeroizing::new(self.sealed.clone());
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, plain).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(&self.nonce).ok()?;
        let body = cipher.open_in_place(nonce, bound_to(context), &mut body).ok()?;
        std::str::from_utf8(body).ok().map(SecretString::from)
    }

    fn of(item: &Item) -> Option<Self> {
        let bytes = |name| STANDARD.decode(item.get(name)?.as_str()?).ok();
        Some(Self { key: bytes("sealed_key")?, nonce: bytes("nonce")?, sealed: bytes("sealed")? })
    }

    fn item(&self) -> Item {
        let Self { key, nonce, sealed } = self;
        let fields = [("sealed_key", key), ("nonce", nonce), ("sealed", sealed)];
        fields.into_iter().map(|(name, bytes)| (name.to_owned(), STANDARD.encode(bytes).into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn context(stage: &str, tenant: &str) -> Context {
        Context::from([("entra-sync:stage".into(), stage.into()), ("entra-sync:tenant".into(), tenant.into())])
    }

    fn sealed() -> Sealed {
        Sealed::seal(vec![1], &KEY, &context("prod", "contoso"), &SecretString::from("s3cret")).unwrap()
    }

    #[test]
    fn s1_3_a_secret_opens_for_its_tenant_and_stage_only() {
        let open = |key, context: Context| sealed().open(key, &context).map(|body| body.expose_secret().to_owned());
        assert_eq!(open(&KEY, context("prod", "contoso")).as_deref(), Some("s3cret"));
        assert_eq!(open(&KEY, context("prod", "fabrikam")), None);
        assert_eq!(open(&KEY, context("test", "contoso")), None);
        assert_eq!(open(&[8; 32], context("prod", "contoso")), None);
        assert_eq!(open(&[7; 16], context("prod", "contoso")), None, "not a key of this cipher");
    }

    #[test]
    fn s1_3_a_change_of_any_byte_is_seen_and_no_two_are_sealed_alike() {
        let (one, other) = (sealed(), sealed());
        assert_ne!((one.nonce, one.sealed), (other.nonce.clone(), other.sealed.clone()));
        for at in 0..other.sealed.len() {
            let mut changed = sealed();
            changed.sealed[at] ^= 1;
            assert!(changed.open(&KEY, &context("prod", "contoso")).is_none(), "byte {at}");
        }
        let short = Sealed { nonce: vec![1; 11], ..sealed() };
        assert!(short.open(&KEY, &context("prod", "contoso")).is_none());
        assert!(!other.item().values().any(|value| value.to_string().contains("s3cret")));
        assert!(Sealed::of(&other.item()).unwrap().open(&KEY, &context("prod", "contoso")).is_some());
        assert!(Sealed::of(&Item::new()).is_none());
    }
}
