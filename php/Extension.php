<?php

declare(strict_types=1);

namespace Proletarier;

use Proletarier\Exception\Configuration;

/**
 * Provides the message that helps where the extension is not loaded.
 */
final class Extension
{
    /**
     * @throws Configuration
     */
    public static function assertLoaded(): void
    {
        if (!extension_loaded('proletarier')) {
            throw new Configuration(self::missing(
                PHP_SAPI,
                php_ini_loaded_file() ?: null,
                getenv('PHP_INI_SCAN_DIR') ?: PHP_CONFIG_FILE_SCAN_DIR
            ));
        }
    }

    /**
     * The same for a function that older releases of the extension do not have.
     *
     * @throws Configuration
     */
    public static function assertHas(string $function): void
    {
        self::assertLoaded();
        if (!function_exists($function)) {
            throw new Configuration(sprintf(
                'The PHP extension proletarier %s has no %s(): it is older than the package. Install the release that belongs to it',
                (string) phpversion('proletarier'),
                $function
            ));
        }
    }

    /**
     * Each SAPI has a php.ini of its own, so the message says for which one it is: what the shell's `php --ini` shows is not what
     * php-fpm reads.
     */
    public static function missing(string $sapi, ?string $iniFile, string $scanDirectory): string
    {
        $place = $iniFile ?? sprintf('a new file %s/php.ini (none is loaded now)', PHP_CONFIG_FILE_PATH);
        if ($scanDirectory !== '') {
            $place .= sprintf(', or to a new file proletarier.ini in %s', $scanDirectory);
        }
        $restart = $sapi === 'cli' ? '' : sprintf(' Then restart %s.', $sapi === 'fpm-fcgi' ? 'php-fpm' : 'the web server');

        return sprintf(
            'The PHP extension proletarier is not loaded in PHP %s for the SAPI %s. Add the line "extension=proletarier" to %s.%s',
            PHP_VERSION,
            $sapi,
            $place,
            $restart
        );
    }
}
