<?php

declare(strict_types=1);

namespace Proletarier;

use Proletarier\Exception\Configuration;

/**
 * Provides the application's settings: the key `proletarier` of its configuration, and the default that depends on where it lives.
 *
 * Called by factories, never by getConfig(), whose result configuration caches freeze.
 */
final class Settings
{
    /**
     * @param object $container with get() and has(); the configuration is its service `config` or `Config`
     *
     * @return array<string, mixed>
     */
    public static function of(object $container): array
    {
        $config = $container->get($container->has('config') ? 'config' : 'Config');
        $settings = $config['proletarier'] ?? [];
        if (!is_array($settings)) {
            throw new Configuration(sprintf('proletarier: %s is not allowed: give a map of settings', get_debug_type($settings)));
        }
        $settings['state_dir'] ??= self::stateDirectory(self::applicationRoot());

        return $settings;
    }

    /**
     * The default of `state_dir`.
     *
     * @throws Configuration where a deploy would leave it behind
     */
    public static function stateDirectory(string $root): string
    {
        $directory = $root . '/data/proletarier';
        if (preg_match('~/releases/[^/]+(/|$)~', $root) === 1) {
            throw new Configuration(sprintf(
                "state_dir: the default %s would be left behind by the next deploy: set 'proletarier' => ['state_dir' => ...] to a "
                . 'directory that all releases share',
                $directory
            ));
        }

        return $directory;
    }

    /**
     * The directory that holds the application's composer.json. Client and daemon have different working directories, so Composer is
     * asked first; without it the skeletons' chdir() to the root, in their public/index.php, is what both share.
     */
    private static function applicationRoot(): string
    {
        if (class_exists(\Composer\InstalledVersions::class)) {
            $root = realpath(\Composer\InstalledVersions::getRootPackage()['install_path']);
        }

        return ($root ?? false) ?: (string) getcwd();
    }
}
